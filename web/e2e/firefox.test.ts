import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { FIREFOX, Firefox } from './firefox';
import { Server, type Invitation } from './server';

describe.skipIf(!FIREFOX)('Firefox', () => {
  let server: Server;
  let firefox: Firefox;
  let conversation: Invitation;
  let voice: string;

  beforeAll(async () => {
    server = await Server.start();
    voice = join(mkdtempSync(join(tmpdir(), 'spike-voice-')), 'voice.wav');
    await server.ask({ do: 'voice', path: voice, names: ['please-try-again'], pause_s: 3 });
    firefox = await Firefox.open();
  });
  afterAll(async () => {
    await firefox?.close();
    await server.stop();
  });

  beforeEach(async () => {
    conversation = await server.create();
    await firefox.goto(inject('pages'));
  });

  const join_ = (options: Record<string, unknown> = {}) => {
    const { conversation_url: conversationUrl, token } = conversation;
    return firefox.evaluate((given) => {
      globalThis.client = recorded(new SpikeClient(given));
      return client.join().then(() => null, (error) => error.code as string);
    }, { conversationUrl, token, joinTimeoutS: 20, ...options });
  };
  const until = (name: string, count = 1) =>
    firefox.evaluate(async ([name, count]: [string, number]) => {
      for (let i = 0; i < 300 && record.filter((each) => each.name === name).length < count; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      const found = record.filter((each) => each.name === name).map(({ args }) => args);
      if (found.length < count) throw new Error(`no ${name}: ${record.map((each) => each.name)}`);
      return found;
    }, [name, count]);

  it('is heard both ways, and sees', async () => {
    // Its fake microphone hums, which is no voice: the recorded one takes its place before the client gets it.
    await firefox.evaluate(async (wav: string) => {
      const context = new AudioContext();
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(Uint8Array.from(atob(wav), (c) => c.charCodeAt(0)).buffer);
      source.loop = true;
      const destination = context.createMediaStreamDestination();
      source.connect(destination);
      source.start();
      const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const stream = await capture(constraints);
        if (!constraints?.audio) return stream;
        for (const track of stream.getAudioTracks()) stream.removeTrack(track);
        stream.addTrack(destination.stream.getAudioTracks()[0]!);
        return stream;
      };
    }, readFileSync(voice).toString('base64'));
    expect(await join_()).toBeNull();
    await until('ai-idle');
    await until('user-stopped-speaking');
    await until('perception');
    await until('ai-idle', 2);
    const told = (await until('ai-speaking')).map(([event]) => event as { transcript: string; audioLevel: number });
    expect(told.map(({ transcript }) => transcript)).toContain('Welcome to the browser.');
    expect(Math.max(...told.map(({ audioLevel }) => audioLevel))).toBeGreaterThan(0.02);
    const persona = (await server.report()).personas.at(-1)!;
    expect(persona.heard[0]!.rms).toBeGreaterThan(0.005);
    expect(Math.max(...persona.seen)).toBeGreaterThan(5);
    const shown = await firefox.evaluate(async () => {
      const video = document.querySelector('video')!;
      video.srcObject = new MediaStream([client.getAIVideoTrack()!]);
      await video.play();
      while (!video.videoWidth) await new Promise((resolve) => setTimeout(resolve, 50));
      const shown = { width: video.videoWidth, played: document.querySelector('audio')!.currentTime > 0 };
      await client.leave();
      return shown;
    });
    expect(shown.width).toBeGreaterThan(0);
    expect(shown.played).toBe(true);
    expect(await until('disconnected')).toEqual([['left', { willReconnect: false }]]);
  });

  it('has figures', async () => {
    await join_();
    await until('network-quality');
    const stats = await firefox.evaluate(async () => {
      let stats = await client.getStats();
      for (let i = 0; i < 30 && (stats.network.roundTripTimeMs ?? Infinity) >= 100; i++) [stats] = await client.waitFor('stats', 5); // a busy machine answers late now and then
      return stats;
    });
    expect(stats.network.roundTripTimeMs).toBeLessThan(100);
    expect(stats.receiveBps).toBeGreaterThan(10_000);
    expect(stats.network.path).toBeTruthy();
  });

  it('mutes, switches devices, and types', async () => {
    await join_();
    const state = await firefox.evaluate(async () => {
      const devices = await client.getDevices();
      client.setAudioEnabled(false);
      await client.setAudioDevice(devices.audio[0]!.id);
      await client.setVideoDevice(devices.video[0]!.id);
      client.sendText('good morning');
      return { devices, muted: !client.state.localAudioTrack!.enabled };
    });
    expect(state.muted).toBe(true);
    expect(state.devices.audio[0]!.name).toBeTruthy();
    await until('user-transcript');
  });

  it('is told what goes wrong', async () => {
    conversation = (await server.ask({ do: 'expired' })) as Invitation;
    expect(await join_({ video: false })).toBe('TOKEN_EXPIRED');
  });

  it('comes back after the server was away', async () => {
    const own = await Server.start();
    try {
      conversation = await own.create();
      await join_({ video: false });
      own.signal('SIGSTOP');
      await until('reconnecting');
      own.signal('SIGCONT');
      await until('connected', 2);
    } finally {
      own.signal('SIGCONT');
      await own.stop('SIGKILL');
    }
  });
});
