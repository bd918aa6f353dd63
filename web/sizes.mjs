// What users download, against what it may be.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMITS_KB = {
  'client/dist/index.js': 14,
  'client/dist/openai.js': 1.8,
  'client/dist/functions.js': 1.2,
  'client/dist/still.js': 1,
  'react/dist/index.js': 2,
  '../python/spike_engine/server/page_files/page/page.js': 150,
};

for (const [file, limit] of Object.entries(LIMITS_KB)) {
  const kB = gzipSync(readFileSync(new URL(file, import.meta.url)), { level: 9 }).length / 1000;
  console.log(`${file}: ${kB.toFixed(1)} kB gzipped of ${limit}`);
  if (kB > limit) process.exitCode = 1;
}
