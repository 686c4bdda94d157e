// Which folder may import which: a file that breaks the order fails here.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = import.meta.dirname;

/** What each folder may import, besides itself. */
const allowed: Record<string, readonly string[]> = {
  base: [],
  domain: ['base'],
  api: ['base', 'domain'],
  graph: ['base', 'domain'],
  state: ['base', 'domain', 'api', 'graph'],
  parts: ['base', 'domain', 'api', 'graph', 'state'],
  pages: ['base', 'domain', 'api', 'graph', 'state', 'parts'],
  app: ['base', 'domain', 'api', 'graph', 'state', 'parts', 'pages'],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)].map((match) => match[1] ?? '');
}

function folderOf(path: string): string {
  return relative(root, path).split('/')[0] ?? '';
}

function pageOf(path: string): string {
  return relative(root, path).split('/')[1] ?? '';
}

/** The imports of one file that its folder is not allowed to have. */
function forbidden(file: string, text: string): string[] {
  const home = folderOf(file);
  return importsOf(text).filter((specifier) => {
    const target = resolve(dirname(file), specifier);
    const folder = folderOf(target);
    if (folder === home) return home === 'pages' && pageOf(target) !== pageOf(file);
    return !(allowed[home] ?? []).includes(folder);
  });
}

describe('imports', () => {
  it('notices a forbidden one', () => {
    const file = join(root, 'domain', 'x.ts');
    expect(forbidden(file, "import { y } from '../api/client';")).toEqual(['../api/client']);
    const page = join(root, 'pages', 'flows', 'x.tsx');
    expect(forbidden(page, "import('../summary')")).toEqual(['../summary']);
    expect(forbidden(page, "import { z } from '../../parts/States';")).toEqual([]);
  });

  it.each(Object.keys(allowed))('of %s point the right way', (folder) => {
    const wrong = sources(join(root, folder)).flatMap((file) =>
      forbidden(file, readFileSync(file, 'utf8')).map((to) => `${relative(root, file)} -> ${to}`),
    );
    expect(wrong).toEqual([]);
  });
});
