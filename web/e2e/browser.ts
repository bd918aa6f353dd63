import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--use-fake-device-for-media-stream=device-count=2',
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
}

/** Chromium with a fresh profile; each context in it is as clean as another. */
export function openBrowser({ voice, autoplay = true, allow = true, flags = [] }: Opening = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM ?? '',
    args: [
      ...FLAGS,
      ...flags,
      allow ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts',
      ...(autoplay ? ['--autoplay-policy=no-user-gesture-required'] : []),
      ...(voice ? [`--use-file-for-fake-audio-capture=${voice}`] : []),
    ],
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
