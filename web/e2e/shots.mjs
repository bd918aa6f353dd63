// Takes the pictures of docs/images: each state of the page, in a real conversation with the front desk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [folder = 'shots'] = process.argv.slice(2);
const python = process.env.SPIKE_PYTHON ?? 'python3';
const voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');

const helper = spawn(python, [fileURLToPath(new URL('server.py', import.meta.url)), 'host', '0', 'http://localhost:1'], { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface(helper.stdout);
await once(answers, 'line');
helper.stdin.write(`${JSON.stringify({ do: 'voice', path: voice, names: ['tt-weasels'], pause_s: 9 })}\n`);
await once(answers, 'line');
helper.stdin.end();

const serve = spawn(python, ['-m', 'spike_engine.cli', 'serve', '--port', '0', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = await once(createInterface(serve.stdout), 'line');
const { page: address, url } = JSON.parse(line);

const browser = await chromium.launch({
  executablePath: process.env.SPIKE_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${voice}`],
  ignoreDefaultArgs: ['--headless', '--mute-audio'],
});

async function conversation(name, options, address, states) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => console.log(name, message.type(), message.text()));
  page.on('pageerror', (error) => console.log(name, 'error', error.message));
  const shoot = (state) => page.screenshot({ path: join(folder, `page-${name}-${state}.png`) });
  await page.goto(address);
  await page.getByText('Start talking').waitFor();
  if (states.includes('welcome')) await shoot('welcome');
  await page.getByText('Start talking').click();
  for (const state of states.filter((each) => each !== 'welcome')) {
    try {
      await page.waitForSelector(`[data-mood="${state}"]`, { timeout: 40_000 });
      await page.waitForTimeout(state === 'speaking' ? 1500 : state === 'listening' ? 300 : 120);
      await shoot(state);
    } catch (error) {
      console.log(name, state, String(error).split('\n')[0]);
    }
  }
  return { context, page, shoot };
}

const light = await conversation('light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }, address, ['welcome', 'connecting', 'speaking', 'listening', 'hearing', 'thinking', 'speaking']);
await light.page.getByText('Devices').click();
await light.page.getByText('Camera on').click();
await light.page.waitForTimeout(4000);
await light.shoot('whole');
await light.context.close();
const dark = await conversation('dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }, url, ['speaking', 'hearing', 'thinking', 'speaking']);
await dark.context.close();
const phone = await conversation('phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'dark' }, url, ['welcome', 'speaking']);
await phone.page.screenshot({ path: join(folder, 'page-phone-full.png'), fullPage: true });
await phone.context.close();
await browser.close();
serve.kill();
