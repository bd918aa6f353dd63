import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Sound } from './sound';

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const CHROMIUM = [process.env['SPIKE_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);

interface Opening {
  /** A sound file that the microphone plays over and over. */
  voice?: string;
  autoplay?: boolean;
  /** Whether the user allows the microphone and the camera. */
  allow?: boolean;
  flags?: string[];
  /** A sound server whose devices take the place of the false ones. */
  sound?: Sound;
}

/** Chromium with a fresh profile; each context in it is as clean as another. */
export function openBrowser({ voice, autoplay = true, allow = true, flags = [], sound }: Opening = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM ?? '',
    args: [
      ...FLAGS,
      ...flags,
      ...(sound ? [] : ['--use-fake-device-for-media-stream=device-count=2']),
      allow ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts',
      ...(autoplay ? ['--autoplay-policy=no-user-gesture-required'] : []),
      ...(voice ? [`--use-file-for-fake-audio-capture=${voice}`] : []),
    ],
    env: { ...process.env, ...(sound ? { PULSE_SERVER: sound.server } : {}) },
    ignoreDefaultArgs: ['--mute-audio', '--headless', ...(autoplay ? [] : ['--autoplay-policy=user-gesture-required'])],
  });
}

/** A page whose errors a test can look at. */
export async function openPage(context: BrowserContext, url: string): Promise<Page & { problems: string[] }> {
  const page = (await context.newPage()) as Page & { problems: string[] };
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()));
  await page.goto(url);
  return page;
}
