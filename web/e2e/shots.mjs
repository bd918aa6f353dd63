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
  await page.getByText('Start talking').click();
  const mood = (name) => page.waitForSelector(`[data-mood="${name}"]`, { timeout: 60_000 });
  const scene = (name) => page.locator('.scene').screenshot({ path: join(folder, `page-${name}.png`) });
  const whole = (name) => page.screenshot({ path: join(folder, `page-${name}.png`) });
  return { context, page, mood, scene, whole };
}

const desk = await visit({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' }, address);
await desk.mood('listening');
await desk.scene('listening');
await desk.mood('hearing');
await desk.page.waitForTimeout(400);
await desk.scene('hearing');
await desk.mood('thinking');
await desk.scene('thinking');
await desk.mood('speaking');
await desk.page.waitForTimeout(2500);
await desk.whole('speaking');
await desk.context.close();
const phone = await visit({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, colorScheme: 'dark' }, url);
await phone.mood('speaking');
await phone.page.waitForTimeout(1200);
await phone.whole('phone');
await phone.context.close();
await browser.close();
serve.kill();
