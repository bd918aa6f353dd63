import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openBrowser, openPage } from './browser';
import { Server, type Invitation } from './server';

declare module 'vitest' {
  interface ProvidedContext {
    pages: string;
  }
}

let server: Server;
let voice: string;
let browser: Browser;
let context: BrowserContext;
let page: Page & { problems: string[] };
let conversation: Invitation;

beforeAll(async () => {
  server = await Server.start();
  voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
  await server.ask({ do: 'voice', path: voice, names: ['please-try-again'], pause_s: 4 });
  browser = await openBrowser({ voice });
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  context = await browser.newContext();
  page = await openPage(context, inject('pages'));
  conversation = await server.create();
});
afterEach(() => context.close());

/** A client in the page, with every event recorded. */
async function create(options: Record<string, unknown> = {}): Promise<void> {
  const { conversation_url: conversationUrl, token } = conversation;
  await page.evaluate((given) => {
    Object.assign(globalThis, { client: recorded(new SpikeClient(given)) });
  }, { conversationUrl, token, joinTimeoutS: 20, ...options } as never);
}

const join_ = () => page.evaluate(() => client.join());
const events = () => page.evaluate(() => record.map(({ name }) => name));
const of = (name: string) => page.evaluate((name) => record.filter((each) => each.name === name), name);

async function until(name: string, count = 1): Promise<void> {
  await page.waitForFunction(([name, count]) => record.filter((each) => each.name === name).length >= count, [name, count] as const, { timeout: 30_000 });
}

/** Join, and let the AI tell a story; it has begun. */
async function hearAStory(): Promise<void> {
  await create({ audio: false, video: false });
  await join_();
  await until('ai-idle');
  await page.evaluate(() => client.sendText('tell me a story'));
  await page.waitForFunction(() => client.state.aiTranscript.includes('Once upon'));
}

describe('a conversation', () => {
  it('is heard both ways from join to leave', async () => {
    await create();
    await join_();
    await until('ai-idle');
    await until('user-stopped-speaking');
    await page.waitForFunction(() => client.state.isAISpeaking && client.state.audioLevel > 0);
    const told = await events();
    expect(told[0]).toBe('connected');
    for (const name of ['ai-thinking', 'ai-speaking', 'user-started-speaking', 'user-transcript', 'stats']) expect(told).toContain(name);
    const speaking = (await of('ai-speaking')).map(({ args }) => args[0] as { transcript: string; audioLevel: number });
    expect(speaking.map(({ transcript }) => transcript)).toContain('Welcome to the browser.');
    expect(Math.max(...speaking.map(({ audioLevel }) => audioLevel))).toBeGreaterThan(0.02);

    const persona = (await server.report()).personas.at(-1)!;
    expect(persona.heard[0]!.rms).toBeGreaterThan(0.005);
    expect(Math.max(...persona.seen)).toBeGreaterThan(5);

    await page.evaluate(() => client.leave());
    expect((await of('disconnected')).map(({ args }) => args)).toEqual([['left', { willReconnect: false }]]);
    expect(await page.evaluate(() => document.querySelector('audio'))).toBeNull();
    expect(page.problems).toEqual([]);
  });

  it('can be left and joined again with the same client', async () => {
    await create({ video: false });
    await join_();
    await page.evaluate(() => client.leave());
    await join_();
    await until('connected', 2);
    expect(await page.evaluate(() => client.state.status)).toBe('connected');
  });

  it('shows the AI, which moves', async () => {
    await create();
    await join_();
    const size = await page.evaluate(async () => {
      const video = document.querySelector('video')!;
      video.srcObject = new MediaStream([client.getAIVideoTrack()!]);
      await video.play();
      for (let shown = 0; shown < 5; shown++) await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      return [video.videoWidth, video.videoHeight];
    });
    expect(size[0]! / size[1]!).toBeCloseTo(16 / 9);
  });

  it('plays the voice of the AI', async () => {
    await create({ audio: false, video: false });
    await join_();
    await until('ai-speaking', 3);
    const played = await page.evaluate(async () => {
      const meter = new Meter(client.getAIAudioTrack()!);
      let loudest = 0;
      for (let i = 0; i < 100 && loudest <= 0.02; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        loudest = Math.max(loudest, meter.level);
      }
      const audio = document.querySelector('audio')!;
      return { loudest, paused: audio.paused, muted: audio.muted, at: audio.currentTime };
    });
    expect(played).toMatchObject({ paused: false, muted: false });
    expect(played.loudest).toBeGreaterThan(0.02);
    expect(played.at).toBeGreaterThan(0);
  });

  it('is voice only where the option says so', async () => {
    await create({ video: false });
    await join_();
    await until('ai-speaking');
    expect(await page.evaluate(() => [client.getAIVideoTrack(), client.state.localVideoTrack])).toEqual([null, null]);
    expect(await page.evaluate(() => client.getAIAudioTrack()!.kind)).toBe('audio');
  });

  it('tells what the AI perceives', async () => {
    await create();
    await join_();
    await until('perception');
    expect((await of('perception'))[0]!.args[0]).toMatchObject({ emotion: 'calm', gesture: 'still' });
  });

  it('is typed', async () => {
    await create({ audio: false, video: false });
    await join_();
    await until('ai-idle');
    await page.evaluate(() => client.sendText('good morning'));
    await until('ai-idle', 2);
    expect(await page.evaluate(() => [client.state.userTranscript, client.state.aiTranscript])).toEqual(['good morning', 'You said good morning.']);
  });

  it('has figures and a quality', async () => {
    await create();
    await join_();
    await until('network-quality');
    await page.waitForFunction(() => client.getStats().then((stats) => stats.sentFps > 5 && stats.receivedFps > 5));
    await page.waitForFunction(() => client.getStats().then(({ network }) => (network.roundTripTimeMs ?? Infinity) < 100)); // a busy machine answers late now and then
    const stats = await page.evaluate(() => client.getStats());
    expect(stats.network.path).toBe('host');
    expect(stats.sendBps).toBeGreaterThan(50_000);
    expect(stats.receiveBps).toBeGreaterThan(20_000);
    expect(stats.concealed).toBeLessThan(0.2);
    expect(stats.videoWidth).toBeGreaterThan(0);
  });
});

describe('an interruption', () => {
  it('by voice silences the AI and ends its transcript', async () => {
    await create({ video: false });
    await join_();
    await until('ai-idle');
    await page.evaluate(() => client.sendText('tell me a story'));
    await page.waitForFunction(() => record.some(({ name, args }) => name === 'ai-idle' && (args[0] as { interrupted: boolean }).interrupted), null, { timeout: 30_000 });
    const told = (await of('ai-speaking')).map(({ args }) => (args[0] as { transcript: string }).transcript);
    expect(told.some((words) => words.includes('Once upon a time'))).toBe(true);
    const spoken = (await server.report()).personas.at(-1)!.said_texts;
    expect(spoken.some(([words, interrupted]) => interrupted && words.includes('Once upon'))).toBe(true);
  });

  it('by the program silences the AI at once', async () => {
    await hearAStory();
    const silentAfterMs = await page.evaluate(async () => {
      const asked = performance.now();
      client.interrupt();
      await client.waitFor('ai-idle', 5);
      return performance.now() - asked;
    });
    expect(silentAfterMs).toBeLessThan(500);
    expect((await of('ai-idle')).at(-1)!.args[0]).toEqual({ interrupted: true });
    expect(await of('error')).toEqual([]);
  });
});

describe('beside the voice', () => {
  it('the history has words with their times, and what was heard', async () => {
    await hearAStory();
    await page.evaluate(() => client.interrupt());
    await until('ai-idle', 2);
    const [greeting, asked, story] = await page.evaluate(() => client.history);
    expect(greeting).toMatchObject({ speaker: 'ai', text: 'Welcome to the browser.', heard: 'Welcome to the browser.', interrupted: false });
    expect(asked).toMatchObject({ speaker: 'user', text: 'tell me a story' });
    expect(story).toMatchObject({ speaker: 'ai', interrupted: true, estimated: false });
    const times = story!.words.map(({ atS }) => atS);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeGreaterThan(times[0]!);
  });

  it('the volume is one of the loudspeaker, and no other figure changes with it', async () => {
    await create({ audio: false, video: false });
    await page.evaluate(() => { client.volume = 0.25; });
    await join_();
    await page.waitForFunction(() => client.state.audioLevel > 0.02);
    expect(await page.evaluate(() => document.querySelector('audio')!.volume)).toBe(0.25);
    await page.evaluate(() => { client.volume = 0; });
    expect(await page.evaluate(() => document.querySelector('audio')!.volume)).toBe(0);
    await page.waitForFunction(() => client.state.audioLevel > 0.02);
  });

  it('the level of the user is told to who wants it, and is 0 while muted', async () => {
    await create({ video: false });
    await join_();
    await page.evaluate(() => {
      Object.assign(globalThis, { levels: [] });
      client.on('user-audio-level', ({ level }) => (globalThis as unknown as { levels: number[] }).levels.push(level));
    });
    await page.waitForFunction(() => (globalThis as unknown as { levels: number[] }).levels.some((level) => level > 0.02), null, { timeout: 30_000 });
    const muted = await page.evaluate(async () => {
      client.setAudioEnabled(false);
      const [first] = await client.waitFor('user-audio-level', 5);
      return first.level;
    });
    expect(muted).toBe(0);
  });

  it('how long the sound takes is told, both ways', async () => {
    await create({ video: false });
    await join_();
    const stats = await page.evaluate(async () => {
      for (;;) {
        const [stats] = await client.waitFor('stats', 5);
        if (stats.userToAiMs !== null && stats.aiToUserMs !== null) return stats;
      }
    });
    expect(stats.userToAiMs).toBeGreaterThan(26);
    expect(stats.userToAiMs).toBeLessThan(500);
    expect(stats.aiToUserMs).toBeGreaterThan(stats.jitterBufferMs! + 6);
    expect(stats.aiToUserMs).toBeLessThan(1000);
  });

  it('a button opens the way to the AI, and nothing else does', async () => {
    await create({ video: false, turnDetection: 'push-to-talk' });
    await join_();
    await until('ai-idle');
    await page.waitForTimeout(6000); // the recorded voice speaks in this time
    expect((await server.report()).personas.at(-1)!.heard).toEqual([]);
    expect(await events()).not.toContain('user-started-speaking');
    await page.evaluate(() => client.startTalking());
    expect((await events()).at(-1)).toBe('user-started-speaking');
    await until('ai-thinking', 2);
    await page.evaluate(() => client.stopTalking());
    expect((await events()).filter((name) => name.startsWith('user-st'))).toEqual(['user-started-speaking', 'user-stopped-speaking']);
    expect(await of('error')).toEqual([]);
  });

  it('silent context is taken in without an answer', async () => {
    await create({ audio: false, video: false });
    await join_();
    await until('ai-idle');
    await page.evaluate(() => {
      client.appendToContext('the user looks at page 3');
      client.appendToContext('it is late', { role: 'system' });
      client.sendText('good morning');
    });
    await until('ai-idle', 2);
    const { said_texts, known } = (await server.report()).personas.at(-1)!;
    expect(said_texts.map(([words]) => words)).toEqual(['Welcome to the browser.', 'You said good morning.']);
    expect(known).toEqual([['the user looks at page 3', 'user'], ['it is late', 'system']]);
    expect(await of('error')).toEqual([]);
  });
});

describe('devices', () => {
  it('are listed with their names', async () => {
    await create();
    await join_();
    const devices = await page.evaluate(() => client.getDevices());
    expect(devices.audio.length).toBeGreaterThan(1);
    expect(devices.video.length).toBe(2);
    expect(devices.audio.filter(({ isDefault }) => isDefault).length).toBe(1);
    for (const device of [...devices.audio, ...devices.video]) expect(device.name).toBeTruthy();
  });

  it('are switched within the same connection', async () => {
    await create();
    await join_();
    const used = await page.evaluate(async () => {
      const { audio, video, audioOutput } = await client.getDevices();
      await client.setAudioDevice(audio.at(-1)!.id);
      await client.setVideoDevice(video.at(-1)!.id);
      if (audioOutput[0]) await client.setOutputDevice(audioOutput[0].id);
      const ids = [client.state.localAudioTrack!, client.state.localVideoTrack!].map((track) => track.getSettings().deviceId);
      return { ids, wanted: [audio.at(-1)!.id, video.at(-1)!.id] };
    });
    expect(used.ids).toEqual(used.wanted);
    await until('user-stopped-speaking');
    expect((await events()).filter((name) => name === 'connected' || name === 'error')).toEqual(['connected']);
  });

  it('that are missing are refused, and the one before stays', async () => {
    await create();
    await join_();
    const refused = await page.evaluate(async () => {
      const before = client.state.localAudioTrack;
      const code = await client.setAudioDevice('nowhere').catch((error) => error.code);
      return { code, same: client.state.localAudioTrack === before, live: before!.readyState };
    });
    expect(refused).toEqual({ code: 'DEVICE_NOT_FOUND', same: true, live: 'live' });
  });

  it('of a phone, which opens one camera at a time, are switched as well', async () => {
    await create({ audio: false });
    await page.evaluate(() => {
      const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      const opened: MediaStreamTrack[] = [];
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (opened.some((track) => track.readyState === 'live')) throw new DOMException('busy', 'NotReadableError');
        const stream = await capture(constraints);
        opened.push(...stream.getTracks());
        return stream;
      };
    });
    await join_();
    const switched = await page.evaluate(async () => {
      const { video } = await client.getDevices();
      await client.setVideoDevice(video.at(-1)!.id);
      const now = client.state.localVideoTrack!;
      const code = await client.setVideoDevice('nowhere').catch((error) => error.code);
      const after = client.state.localVideoTrack!;
      return { wanted: video.at(-1)!.id, now: now.getSettings().deviceId, code, after: after.getSettings().deviceId, live: after.readyState };
    });
    expect(switched).toEqual({ wanted: switched.wanted, now: switched.wanted, code: 'DEVICE_IN_USE', after: switched.wanted, live: 'live' });
    expect(await events()).not.toContain('error');
  });

  it('are muted: the server hears and sees nothing, and the light of the camera goes out', async () => {
    await create();
    await page.evaluate(() => {
      client.setAudioEnabled(false);
      client.setVideoEnabled(false);
    });
    await join_();
    await until('ai-idle');
    await page.waitForTimeout(6000); // the recorded voice speaks in this time
    expect(await events()).not.toContain('user-started-speaking');
    expect(await page.evaluate(() => client.state.localVideoTrack)).toBeNull();
    await page.evaluate(() => {
      client.setAudioEnabled(true);
      client.setVideoEnabled(true);
    });
    await until('user-started-speaking');
    await until('perception');
    expect(await page.evaluate(() => client.state.localVideoTrack!.readyState)).toBe('live');
  });

  it('are not even opened where they are muted from the start', async () => {
    await create({ video: false });
    await page.evaluate(() => client.setAudioEnabled(false));
    await join_();
    expect(await page.evaluate(() => client.state.localAudioTrack)).toBeNull();
    await page.evaluate(() => client.setAudioEnabled(true));
    await until('user-stopped-speaking');
    await page.evaluate(() => client.setAudioEnabled(false));
    expect(await page.evaluate(() => client.state.localAudioTrack!.readyState)).toBe('live');
    expect(await of('error')).toEqual([]);
  });

  it('may be the screen, until the user ends that', async () => {
    await create({ audio: false });
    await page.evaluate(() => client.setVideoEnabled(false));
    await join_();
    await page.evaluate(() => document.addEventListener('click', () => {
      void client.setVideoDevice('screen').then(() => client.setVideoEnabled(true));
    }, { once: true }));
    await page.mouse.click(10, 10);
    await until('perception');
    const surface = await page.evaluate(() => client.state.localVideoTrack!.getSettings().displaySurface);
    expect(['monitor', 'window', 'browser']).toContain(surface);
    await page.evaluate(() => client.state.localVideoTrack!.dispatchEvent(new Event('ended'))); // as "stop sharing" does
    expect(await page.evaluate(() => client.state.localVideoTrack)).toBeNull();
    expect(await of('error')).toEqual([]);
  });

  it('that the user refuses are told, and the AI is heard all the same', async () => {
    const other = await openBrowser({ allow: false });
    page = await openPage(await other.newContext(), inject('pages'));
    await create();
    await join_();
    await until('ai-speaking');
    const codes = (await of('error')).map(({ args }) => (args[0] as { code: string }).code);
    expect(codes).toEqual(['MEDIA_PERMISSION_DENIED', 'MEDIA_PERMISSION_DENIED']);
    await other.close();
  });
});

describe('failures', () => {
  const codeOf = () => page.evaluate(() => client.join().then(() => null, (error) => error.code as string));

  it('a token that the server refuses', async () => {
    conversation = (await server.ask({ do: 'expired' })) as Invitation;
    await create({ video: false });
    expect(await codeOf()).toBe('TOKEN_EXPIRED');
    expect(await events()).toEqual(['error', 'disconnected']);
  });

  it('a token that says itself that it has expired', async () => {
    const payload = Buffer.from(JSON.stringify({ exp: 1 })).toString('base64url');
    await create({ token: `e30.${payload}.x` });
    expect(await codeOf()).toBe('TOKEN_EXPIRED');
  });

  it('a conversation that is over', async () => {
    await server.ask({ do: 'end', conversation_id: conversation.conversation_id });
    await create({ video: false });
    expect(await codeOf()).toBe('CONVERSATION_ENDED');
  });

  it('a server that is not there', async () => {
    await create({ conversationUrl: 'http://127.0.0.1:9/', video: false });
    expect(await codeOf()).toBe('CONNECTION_FAILED');
  });

  it('the server ends the conversation', async () => {
    await create({ video: false });
    await join_();
    await server.ask({ do: 'end', conversation_id: conversation.conversation_id });
    await until('disconnected');
    expect((await of('disconnected'))[0]!.args[0]).toBe('ended');
    expect((await of('error')).map(({ args }) => (args[0] as { code: string }).code)).toEqual(['CONVERSATION_ENDED']);
  });

  it('leaving while joining', async () => {
    await create({ video: false });
    const code = await page.evaluate(async () => {
      const joining = client.join().then(() => null, (error) => error.code as string);
      await client.leave();
      return joining;
    });
    expect(code).toBe('INVALID_STATE');
    expect(await events()).toEqual(['disconnected']);
  });

  it('a second tab takes the conversation over', async () => {
    await create({ video: false });
    await join_();
    const first = page;
    page = await openPage(context, inject('pages'));
    await create({ video: false });
    await join_();
    await first.waitForFunction(() => record.some(({ name }) => name === 'disconnected'), null, { timeout: 10_000 });
    expect(await first.evaluate(() => record.find(({ name }) => name === 'disconnected')!.args[0])).toBe('ended');
    expect(await page.evaluate(() => client.state.status)).toBe('connected');
  });
});

describe('reconnection', () => {
  it('after the server was away for some seconds, with mute and transcript kept', async () => {
    const own = await Server.start();
    try {
      conversation = await own.create();
      await create({ video: false });
      await join_();
      await until('ai-idle');
      await page.evaluate(() => client.setAudioEnabled(false));
      own.signal('SIGSTOP');
      await until('reconnecting');
      own.signal('SIGCONT');
      await until('connected', 2);
      expect((await of('disconnected')).map(({ args }) => args)).toEqual([['network', { willReconnect: true }]]);
      const state = await page.evaluate(() => ({ ...client.state, live: client.getAIAudioTrack()!.readyState }));
      expect(state).toMatchObject({ status: 'connected', audioEnabled: false, live: 'live', error: null, aiTranscript: 'Welcome to the browser.' });
      expect((await page.evaluate(() => client.getStats())).reconnections).toBe(1);
    } finally {
      own.signal('SIGCONT');
      await own.stop('SIGKILL');
    }
  });

  it('ends where the server was restarted and knows nothing of the conversation', async () => {
    const own = await Server.start();
    conversation = await own.create();
    await create({ video: false });
    await join_();
    await own.stop('SIGKILL');
    await until('reconnecting', 2);
    const again = await Server.start('host', Number(new URL(own.url).port));
    try {
      await page.waitForFunction(() => client.state.status === 'disconnected', null, { timeout: 20_000 });
      expect(await page.evaluate(() => client.state.error!.code)).toBe('CONVERSATION_ENDED');
      conversation = await again.create();
      await create({ video: false });
      await join_();
    } finally {
      await again.stop();
    }
  });

  it('by the program replaces the connection', async () => {
    await create({ video: false });
    await join_();
    await page.evaluate(() => client.reconnect());
    expect(await events()).toEqual(expect.arrayContaining(['connected', 'reconnecting', 'connected']));
    expect(await page.evaluate(() => client.state.status)).toBe('connected');
    await until('user-started-speaking');
  });
});

describe('a browser that wants a click first', () => {
  it('says so, and plays after one', async () => {
    // A page that captures may play; one that only listens may not.
    const other = await openBrowser({ autoplay: false });
    const clean = await other.newContext();
    const { conversation_url: conversationUrl, token } = conversation;
    await clean.addInitScript((autojoin) => Object.assign(globalThis, { autojoin }), { conversationUrl, token, audio: false, video: false });
    page = await openPage(clean, inject('pages'));
    await page.waitForEvent('console', (message) => message.text() === 'playback-blocked');
    expect(await page.evaluate(() => client.state.isPlaybackBlocked)).toBe(true);
    await page.evaluate(() => document.addEventListener('click', () => void client.startPlayback()));
    await page.mouse.click(10, 10);
    await page.waitForFunction(() => !client.state.isPlaybackBlocked && !document.querySelector('audio')!.paused);
    await other.close();
  });
});
