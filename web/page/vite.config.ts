import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

// The names are the same from build to build: the files are committed, and shipped in the Python package.
export default defineConfig({
  root: path('.'),
  resolve: { alias: { '@spike/client': path('../client/src/index.ts'), '@spike/react': path('../react/src/index.ts') } },
  build: {
    outDir: path('../../python/spike_engine/server/page_files'),
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: { output: { codeSplitting: false, entryFileNames: 'page/page.js', assetFileNames: 'page/[name][extname]' } },
  },
  server: { proxy: { '/conversations': 'http://127.0.0.1:7860' } },
});
