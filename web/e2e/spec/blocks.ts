import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const TITLES = [
  'Quick Start', 'Connection Options', 'Events', 'Managing Media', 'Displaying the AI', 'React Integration',
  'Voice-Only Mode', 'Error Handling', 'Browser Support',
];

// What the page takes for granted before a block, and what hands its result to the tests after it.
const BEFORE: Record<string, string> = {
  'Connection Options': "import { SpikeClient } from '@spike/client';",
  'Displaying the AI': "import { useEffect, useRef } from 'react';\nimport { useSpikeConversation } from '@spike/react';",
  'React Integration': "import { AIVideo } from '@spike/react';",
  'Voice-Only Mode': "import { SpikeClient } from '@spike/client';",
};
const AFTER: Record<string, string> = {
  'Connection Options': 'Object.assign(globalThis, { client });',
  'Displaying the AI': 'Object.assign(globalThis, { SpecAIVideo: AIVideo });',
  'React Integration': 'Object.assign(globalThis, { App });',
  'Voice-Only Mode': 'Object.assign(globalThis, { client });',
};

export const slug = (title: string): string => title.toLowerCase().replaceAll(' ', '-');

/** The code blocks of the specification, by title, letter by letter. */
export function specification(): Map<string, string> {
  const lines = readFileSync(new URL('webrtc-connection.txt', import.meta.url), 'utf8').split('\n');
  const at = TITLES.map((title) => lines.indexOf(title));
  return new Map(
    TITLES.slice(0, -1).map((title, index) => {
      const section = lines.slice(at[index]! + 1, at[index + 1]);
      const first = section.findIndex((line) => /^(import |const |client\.|\/\/ )/.test(line));
      return [title, section.slice(first).join('\n').trimEnd()];
    }),
  );
}

/** Write each block as a module, for the compiler and for the browser. */
export function writeBlocks(): void {
  const folder = new URL('generated/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [title, code] of specification()) {
    const module = [BEFORE[title], code, AFTER[title], 'export {};'].filter(Boolean).join('\n\n');
    writeFileSync(fileURLToPath(new URL(`${slug(title)}.jsx`, folder)), `${module}\n`);
  }
}
