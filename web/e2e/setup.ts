import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeBlocks } from './spec/blocks';
import { build, preview, type PreviewServer } from 'vite';

const root = fileURLToPath(new URL('pages', import.meta.url));
const source = (path: string) => fileURLToPath(new URL(`../${path}/src/index.ts`, import.meta.url));

/** Build the test pages once and serve them; they come from another origin than the server that they talk with. */
export default async function setup({ provide }: { provide(name: string, value: string): void }): Promise<() => Promise<void>> {
  writeBlocks();
  const outDir = mkdtempSync(join(tmpdir(), 'spike-pages-'));
  const options = { root, configFile: false, logLevel: 'warn' } as const;
  await build({
    ...options,
    define: { 'process.env.NODE_ENV': '"development"' }, // where StrictMode mounts everything twice
    resolve: { alias: { '@spike/client': source('client'), '@spike/react': source('react') } },
    build: { outDir, emptyOutDir: true, minify: false, rolldownOptions: { input: ['index.html', 'spec.html'].map((name) => join(root, name)) } },
  });
  const server: PreviewServer = await preview({ ...options, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } });
  provide('pages', server.resolvedUrls?.local[0] ?? '');
  return async () => {
    await server.close();
    rmSync(outDir, { recursive: true });
  };
}
