import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'index' },
    target: 'es2022',
    sourcemap: true,
    rolldownOptions: {
      preserveEntrySignatures: 'allow-extension', // what openai.js shares with the rest stays in index.js
      output: { minify: true, chunkFileNames: '[name].js' },
    },
  },
});
