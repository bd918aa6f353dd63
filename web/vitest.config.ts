import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string) => fileURLToPath(new URL(`${name}/src/index.ts`, import.meta.url));
const resolve = { alias: { '@spike/client': source('client'), '@spike/react': source('react') } };
const unit = (name: string, folder = name, alias = {}) => ({
  resolve: { alias: { ...resolve.alias, ...alias } },
  test: { name, include: [`${folder}/test/**/*.test.ts?(x)`], environment: 'happy-dom' },
});
const react18 = (name: string) => fileURLToPath(new URL(`react18/node_modules/${name}`, import.meta.url));

export default defineConfig({
  test: {
    projects: [
      unit('client'),
      unit('react-18', 'react', { react: react18('react'), 'react-dom': react18('react-dom') }),
      unit('react-19', 'react'),
      unit('page'),
      {
        resolve,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          globalSetup: ['e2e/setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          retry: 1, // several measure time, on machines that are busy with other things
        },
      },
    ],
  },
});
