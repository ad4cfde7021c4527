// Writes the theme's CSS variables at build time, so that a strict CSP (no inline style) holds.
import { convertCssVariables, defaultCssVariablesResolver, DEFAULT_THEME, mergeMantineTheme } from '@mantine/core';
import type { Plugin } from 'vite';
import { cssVariablesResolver, theme } from './src/theme.ts';

const ID = 'virtual:theme.css';

function merge(key: 'variables' | 'light' | 'dark') {
  const full = mergeMantineTheme(DEFAULT_THEME, theme);
  return { ...defaultCssVariablesResolver(full)[key], ...cssVariablesResolver(full)[key] };
}

export function themeCss(): Plugin {
  return {
    name: 'headrace-theme-css',
    resolveId: (id) => (id === ID ? ID : undefined),
    load: (id) =>
      id === ID
        ? convertCssVariables({ variables: merge('variables'), light: merge('light'), dark: merge('dark') }, ':root')
        : undefined,
  };
}
