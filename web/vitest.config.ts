import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string) => fileURLToPath(new URL(`${name}/src/index.ts`, import.meta.url));
const resolve = { alias: { '@spike/client': source('client'), '@spike/react': source('react') } };
const unit = (name: string, folder = name, alias = {}) => ({
  resolve: { alias: { ...resolve.alias, ...alias } },
  test: { name, include: [`${folder}/test/**/*.test.ts?(x)`], environment: 'happy-dom' },
});
const react18 = (name: string) => fileURLToPath(new URL(`react18/node_modules/${name}`, import.meta.url));

const ALONE = ['e2e/delays.test.ts', 'e2e/echo.test.ts']; // they measure time or sound, with nothing beside them
const browsers = (name: string, groupOrder: number, files: object) => ({
  resolve,
  test: {
    name,
    ...files,
    globalSetup: ['e2e/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { groupOrder },
    retry: 1, // several wait for sound, on machines that are busy with other things
  },
});

export default defineConfig({
  test: {
    projects: [
      unit('client'),
      unit('react-18', 'react', { react: react18('react'), 'react-dom': react18('react-dom') }),
      unit('react-19', 'react'),
      unit('page'),
      browsers('e2e', 1, { include: ['e2e/**/*.test.ts'], exclude: [...ALONE], maxWorkers: 2 }),
      browsers('e2e-alone', 2, { include: [...ALONE], fileParallelism: false }),
    ],
  },
});
