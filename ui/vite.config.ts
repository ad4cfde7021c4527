import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { themeCss } from './theme-css.ts';

const api = process.env['HEADRACE_API_URL'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react(), themeCss()],
  server: { proxy: { '/api': { target: api, changeOrigin: true } } },
  build: { target: 'es2022', sourcemap: false, chunkSizeWarningLimit: 600, assetsInlineLimit: 0 },
  test: { include: ['tests/**/*.test.ts'], environment: 'node', css: false },
});
