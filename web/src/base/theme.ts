// The Mantine theme: one accent, compact controls, the bundled font.
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const water: MantineColorsTuple = [
  '#e5f6fa',
  '#cbebf3',
  '#9ad7e6',
  '#65c2d9',
  '#3aafcb',
  '#2199b8',
  '#1288a6',
  '#0b7a99',
  '#096a86',
  '#065368',
];

const dark: MantineColorsTuple = [
  '#e3e6ea',
  '#c4c9d1',
  '#9aa2ad',
  '#737c88',
  '#39414c',
  '#2a313a',
  '#20262e',
  '#161a20',
  '#101318',
  '#0b0d11',
];

export const theme = createTheme({
  primaryColor: 'water',
  primaryShade: { light: 7, dark: 5 },
  colors: { water, dark },
  fontFamily:
    "'Inter Variable', ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace:
    "ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: '11px', sm: '12px', md: '13px', lg: '15px', xl: '18px' },
  lineHeights: { xs: '1.35', sm: '1.4', md: '1.45', lg: '1.45', xl: '1.35' },
  spacing: { xs: '6px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '3px', sm: '5px', md: '6px', lg: '8px', xl: '12px' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    Tooltip: { defaultProps: { openDelay: 250, withinPortal: true, fz: 'sm' } },
    Popover: { defaultProps: { shadow: 'md', withinPortal: true } },
    Menu: { defaultProps: { shadow: 'md', withinPortal: true } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    Button: { defaultProps: { size: 'xs' } },
    TextInput: { defaultProps: { size: 'xs' } },
    Checkbox: { defaultProps: { size: 'xs' } },
    SegmentedControl: { defaultProps: { size: 'xs' } },
  },
});
