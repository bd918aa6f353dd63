import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { PYTHON, Server } from './server';

let browser: Browser;
let context: BrowserContext;
let page: Page & { problems: string[] };

beforeAll(async () => {
  const voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
  const server = await Server.start();
  await server.ask({ do: 'voice', path: voice, names: ['please-try-again'], pause_s: 3 });
  await server.stop();
  browser = await openBrowser({ voice });
});
afterAll(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext();
  page = await openPage(context, inject('pages'));
});
afterEach(() => context.close());

const join_ = (options: Record<string, unknown>) =>
  page.evaluate(async (given) => {
    globalThis.client = recorded(new SpikeClient({ token: 'none', video: false, joinTimeoutS: 20, ...given } as never));
    await client.join();
  }, options);
const of = (name: string) => page.evaluate((name) => record.filter((each) => each.name === name).map(({ args }) => args[0]), name);
const until = (name: string) => page.waitForFunction((name) => record.some((each) => each.name === name), name, { timeout: 30_000 });

const hasPipecat = spawnSync(PYTHON, ['-c', 'import pipecat']).status === 0;

describe.skipIf(!hasPipecat)("a bot of pipecat's", () => {
  let bot: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const port = await freePort();
    const program = fileURLToPath(new URL('../../tests/tools/pipecat_bot.py', import.meta.url));
    bot = spawn(PYTHON, [program, '-t', 'webrtc', '--host', '127.0.0.1', '--port', String(port)], { stdio: 'ignore' });
    url = `http://127.0.0.1:${port}`;
    while (!(await fetch(`${url}/status`).then((answer) => answer.ok, () => false))) await new Promise((resolve) => setTimeout(resolve, 100));
  });
  afterAll(async () => {
    bot.kill('SIGKILL');
    await once(bot, 'exit');
  });

  it('says what it is told, word by word, and is heard', async () => {
    await join_({ conversationUrl: url, audio: false });
    await page.evaluate(() => client.sendMessage('say', 'one two three four'));
    await until('ai-idle');
    const told = (await of('ai-speaking')) as { transcript: string; audioLevel: number }[];
    expect([...new Set(told.map(({ transcript }) => transcript))]).toEqual(['', 'one', 'one two', 'one two three', 'one two three four']);
    expect(Math.max(...told.map(({ audioLevel }) => audioLevel))).toBeGreaterThan(0.02);
  });

  it('hears the user and answers', async () => {
    await join_({ conversationUrl: url });
    await page.waitForFunction(() => client.state.aiTranscript === 'That was a lovely song', null, { timeout: 30_000 });
    const names = await page.evaluate(() => [...new Set(record.map(({ name }) => name))]);
    const expected = ['user-started-speaking', 'user-transcript', 'user-stopped-speaking', 'ai-thinking', 'ai-speaking'];
    expect(names.filter((name) => expected.includes(name))).toEqual(expected);
  });

  it('is asked for a session first where the address ends in /start', async () => {
    await join_({ conversationUrl: `${url}/start`, audio: false });
    await page.evaluate(() => client.sendText('hello'));
    await page.waitForFunction(() => client.state.aiTranscript.startsWith('You wrote hello'), null, { timeout: 30_000 });
  });

  it('is told context, shown a picture, and gets keys', async () => {
    await join_({ conversationUrl: url, audio: false });
    await page.evaluate(async () => {
      client.appendToContext('I look at page 3');
      client.appendToContext('It is late.', { role: 'system' });
      client.sendDtmf('1#');
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width: 160, height: 90 });
      canvas.getContext('2d')!.fillRect(0, 0, 80, 90);
      await client.sendPicture(canvas, 'What is it?');
    });
    await page.waitForFunction(() => record.filter(({ name }) => name === 'message').length >= 5, null, { timeout: 30_000 });
    const told = ((await of('message')) as { data: object }[]).map(({ data }) => data);
    expect(told).toContainEqual({ type: 'context', content: 'I look at page 3', run: false });
    expect(told).toContainEqual({ type: 'append-to-context', data: { role: 'system', content: 'It is late.' } });
    expect(told.filter((each) => 'button' in each)).toEqual([{ type: 'key', button: '1' }, { type: 'key', button: '#' }]);
    expect(told).toContainEqual({ type: 'picture', text: 'What is it?', size: [160, 90], format: 'image/jpeg', run: true });
  });

  it('has its functions carried out by the page, and hears what goes wrong', async () => {
    await join_({ conversationUrl: url, audio: false });
    await page.evaluate(() => {
      client.registerFunction(async ({ word }) => `${word}, a nail`, { name: 'look_up' });
      client.sendMessage('use');
    });
    await until('message');
    expect(await of('message')).toMatchObject([{ data: { type: 'used', result: 'spike, a nail' } }]);
    await page.evaluate(() => {
      client.registerFunction(() => 1, { name: 'look_up', parameters: { type: 'object', properties: { word: { type: 'integer' } } } });
      client.sendMessage('use');
    });
    await page.waitForFunction(() => record.filter(({ name }) => name === 'message').length >= 2);
    expect((await of('message'))[1]).toMatchObject({ data: { result: { error: 'word must be of type integer, not "spike"' } } });
  });

  it('shows its picture, and sees the camera', async () => {
    await join_({ conversationUrl: url, video: true, audio: false });
    await page.waitForFunction(() => client.getAIVideoTrack() !== null, null, { timeout: 30_000 });
    const width = await page.evaluate(async () => {
      const video = document.querySelector('video')!;
      video.srcObject = new MediaStream([client.getAIVideoTrack()!]);
      await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      return video.videoWidth;
    });
    expect(width).toBeGreaterThan(0);
  });
});

describe('the Realtime API of OpenAI, as a local server follows it', () => {
  let server: Server;
  const say = (kind: string, fields: object = {}) => server.ask({ do: 'say', kind, fields });
  const received = () => server.ask({ do: 'receive' });

  beforeEach(async () => {
    server = await Server.run('openai.py');
    await context.route(server.url, async (route) => {
      const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*', 'access-control-allow-methods': '*' };
      if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 204, headers });
      const answer = await route.fetch();
      return route.fulfill({ response: answer, headers: { ...answer.headers(), ...headers } });
    });
  });
  afterEach(() => server.stop('SIGKILL'));

  it('a whole turn', async () => {
    await join_({ conversationUrl: server.url, token: 'ek_1' });
    await say('input_audio_buffer.speech_started');
    await say('input_audio_buffer.speech_stopped');
    await say('conversation.item.input_audio_transcription.completed', { item_id: '1', transcript: 'Good day' });
    await say('response.created');
    await say('output_audio_buffer.started');
    await say('response.output_audio_transcript.delta', { delta: 'And to you' });
    await page.waitForFunction(() => client.state.aiTranscript === 'And to you' && client.state.audioLevel > 0.02);
    await say('output_audio_buffer.stopped');
    await until('ai-idle');
    expect(await page.evaluate(() => [client.state.userTranscript, client.getAIVideoTrack()])).toEqual(['Good day', null]);
  });

  it('what the page sends', async () => {
    await join_({ conversationUrl: server.url, token: 'ek_1', audio: false });
    await page.evaluate(() => client.sendText('hello', { speak: false }));
    expect([await received(), await received()]).toMatchObject([
      { type: 'conversation.item.create', item: { content: [{ type: 'input_text', text: 'hello' }] } },
      { type: 'response.create', response: { output_modalities: ['text'] } },
    ]);
    await say('response.created');
    await until('ai-thinking');
    await page.evaluate(() => client.interrupt());
    expect([await received(), await received()]).toMatchObject([{ type: 'response.cancel' }, { type: 'output_audio_buffer.clear' }]);
  });

  it('what a page does beside talking', async () => {
    await page.evaluate((conversationUrl) => {
      globalThis.client = recorded(new SpikeClient({ conversationUrl, token: 'ek_1', video: false, joinTimeoutS: 20, turnDetection: 'push-to-talk' }));
      client.registerFunction(({ word }) => `${word}, a nail`, { name: 'look_up', description: 'What it means.', parameters: { type: 'object', properties: { word: { type: 'string' } } } });
      return client.join();
    }, server.url);
    const all = async (count: number) => {
      const received_: Record<string, unknown>[] = [];
      while (received_.length < count) received_.push((await received()) as Record<string, unknown>);
      return received_;
    };
    expect(await all(1)).toMatchObject([
      { type: 'session.update', session: { tools: [{ type: 'function', name: 'look_up', description: 'What it means.' }], audio: { input: { turn_detection: null } } } },
    ]);
    await page.evaluate(() => (client.startTalking(), client.stopTalking(), client.appendToContext('page 3'), client.sendDtmf('1#')));
    expect((await all(6)).map(({ type }) => type)).toEqual([
      'input_audio_buffer.clear', 'input_audio_buffer.commit', 'response.create', 'conversation.item.create', 'conversation.item.create', 'response.create',
    ]);
    await say('response.function_call_arguments.done', { name: 'look_up', call_id: '7', arguments: '{"word":"spike"}' });
    expect(await all(2)).toMatchObject([{ item: { type: 'function_call_output', call_id: '7', output: 'spike, a nail' } }, { type: 'response.create' }]);
    await page.evaluate(async () => client.sendPicture(await createImageBitmap(new ImageData(32, 18)), 'Blank?', { respond: false }));
    const [shown] = (await all(1)) as { item: { content: { image_url: string }[] } }[];
    expect(Buffer.from(shown!.item.content[0]!.image_url.split(',')[1]!, 'base64').subarray(0, 2).toString('hex')).toBe('ffd8');
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
