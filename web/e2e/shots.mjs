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

async function visit(options, address) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(address);
  const mood = (name) =>
    page.evaluate((name) => new Promise((resolve) => {
      const main = document.querySelector('main');
      const look = () => main.dataset.mood === name && resolve();
      new MutationObserver(look).observe(main, { attributes: true });
      look();
    }), name);
  const scene = (name) => page.locator('.scene').screenshot({ path: join(folder, `page-${name}.png`) });
  const whole = (name) => page.screenshot({ path: join(folder, `page-${name}.png`) });
  const start = () => page.getByText('Start talking').click();
  return { context, page, mood, scene, whole, start };
}

const desk = await visit({ viewport: { width: 1280, height: 1090 }, colorScheme: 'light' }, address);
await desk.scene('ready');
await desk.page.route('**/api/offer', (route) => setTimeout(() => void route.continue(), 1500));
await desk.start();
await desk.mood('connecting');
await desk.page.waitForTimeout(400);
await desk.scene('connecting');
await desk.mood('speaking');
await desk.mood('listening');
await desk.page.waitForTimeout(400);
await desk.scene('listening');
await desk.mood('hearing');
await desk.page.waitForTimeout(400);
await desk.scene('hearing');
await desk.mood('speaking');
await desk.page.waitForTimeout(4000);
await desk.whole('speaking');
await desk.page.getByText('Mute', { exact: true }).click();
await desk.page.getByText('Stop the AI').click();
await desk.mood('muted');
await desk.page.waitForTimeout(400);
await desk.scene('muted');
await desk.context.close();
const thinker = await visit({ viewport: { width: 1280, height: 1040 }, colorScheme: 'light' }, url);
await thinker.start();
await thinker.mood('hearing');
await thinker.mood('thinking');
serve.kill('SIGSTOP'); // it thinks too fast for a camera
await thinker.page.waitForTimeout(500);
await thinker.scene('thinking');
serve.kill('SIGCONT');
await thinker.context.close();
const night = await visit({ viewport: { width: 1280, height: 1040 }, colorScheme: 'dark' }, url);
await night.start();
await night.mood('speaking');
await night.page.getByText('Camera on').click();
await night.page.getByText('Devices').click();
await night.page.getByLabel('Microphone', { exact: true }).waitFor();
await night.page.waitForTimeout(1500);
serve.kill('SIGSTOP');
await night.mood('connecting');
await night.page.waitForTimeout(1000);
await night.whole('dark');
serve.kill('SIGCONT');
await night.context.close();
const phone = await visit({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, colorScheme: 'dark' }, url);
await phone.start();
await phone.mood('speaking');
await phone.page.waitForTimeout(1200);
await phone.whole('phone');
await phone.context.close();
await browser.close();
serve.kill();
