/// <reference types="vitest/config" />
// How the UI is built, served while developing, and unit-tested.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const server = process.env['WEIR_URL'] ?? 'http://127.0.0.1:9347';

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', chunkSizeWarningLimit: 900 },
  server: { port: 5173, proxy: { '/api': { target: server, changeOrigin: true } } },
  test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
});
