import { describe, expect, it, vi } from 'vitest';
import { SpikeClient, SpikeError, type ClientOptions } from '../src';
import { errorOfStatus, mediaError } from '../src/errors';
import type { Event } from '../src/events';
import { qualityOf } from '../src/monitor';
import { INITIAL_STATE, after } from '../src/state';
import { sampleOf, statsSince } from '../src/stats';

const GIVEN = { conversationUrl: 'https://example.org/conversations/1', token: 't' };

describe('options', () => {
  it('have the defaults of the specification', () => {
    const { options, state } = new SpikeClient(GIVEN);
    expect(options).toMatchObject({ audio: true, video: true, audioSource: 'default', videoQuality: 'high', echoCancellation: true });
    expect(state).toMatchObject({ status: 'disconnected', isConnected: false, audioEnabled: true, error: null });
  });

  it.each<[Record<string, unknown>, string]>([
    [{ conversationUrl: 'ftp://x' }, 'conversationUrl must be an http:// or https:// address, not "ftp://x"'],
    [{ token: '' }, 'token must be a text that is not empty, not ""'],
    [{ audio: 'yes' }, 'audio must be true or false, not "yes"'],
    [{ videoQuality: 'best' }, 'videoQuality must be "low", "medium", "high", not "best"'],
    [{ audioSource: 3 }, "audioSource must be 'default' or a device id, not 3"],
    [{ onError: 3 }, 'onError must be a function or null, not 3'],
    [{ joinTimeoutS: 0 }, 'joinTimeoutS must be a number of seconds above 0, not 0'],
    [{ turnDetection: 'local' }, 'turnDetection must be "server", "push-to-talk", not "local"'],
    [{ iceServers: 'stun:x' }, 'iceServers must be a list, not "stun:x"'],
    [{ conversation_url: 'x' }, 'there is no option conversation_url'],
  ])('refuses %j', (wrong, message) => {
    expect(() => new SpikeClient({ ...GIVEN, ...wrong } as ClientOptions)).toThrow(new SpikeError('INVALID_OPTION', message));
  });

  it('takes undefined for the default', () => {
    expect(new SpikeClient({ ...GIVEN, video: undefined } as ClientOptions).options.video).toBe(true);
  });
});

describe('handlers', () => {
  const connect = (client: SpikeClient, ...event: Event) => (client as unknown as { emit(event: Event): void }).emit(event);

  it('get the arguments of the specification', () => {
    const onDisconnected = vi.fn();
    const onError = vi.fn();
    const client = new SpikeClient({ ...GIVEN, onDisconnected, onError });
    const error = new SpikeError('SERVER_ERROR', 'x');
    connect(client, 'error', error);
    connect(client, 'disconnected', 'network', { willReconnect: false });
    expect(onError).toHaveBeenCalledWith(error);
    expect(onDisconnected.mock.calls[0]![0]).toBe('network');
    expect(client.state.error).toBe(error);
  });

  it('that fail are logged and stop no other', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const client = new SpikeClient(GIVEN);
    const other = vi.fn();
    client.on('ai-idle', () => { throw new Error('one'); });
    client.on('ai-idle', () => Promise.reject(new Error('two')));
    client.on('ai-idle', other);
    connect(client, 'ai-idle', { interrupted: false });
    await Promise.resolve();
    await Promise.resolve();
    expect(other).toHaveBeenCalledOnce();
    expect(log).toHaveBeenCalledTimes(2);
    log.mockRestore();
  });

  it('are taken off, called once, and waited for', async () => {
    const client = new SpikeClient(GIVEN);
    const [on, once] = [vi.fn(), vi.fn()];
    const off = client.on('ai-thinking', on);
    client.once('ai-thinking', once);
    const next = client.waitFor('ai-thinking', 1);
    connect(client, 'ai-thinking');
    off();
    connect(client, 'ai-thinking');
    expect([on.mock.calls.length, once.mock.calls.length]).toEqual([1, 1]);
    await expect(next).resolves.toEqual([]);
    await expect(client.waitFor('ai-idle', 0.01)).rejects.toThrow('no ai-idle within 0.01 s');
  });
});

it('what needs a connection says so without one', async () => {
  const client = new SpikeClient(GIVEN);
  expect(() => client.sendText('x')).toThrow('messages need a connection; this client is disconnected');
  expect(() => client.interrupt()).toThrow(SpikeError);
  await expect(client.reconnect()).rejects.toThrow('has joined before');
  await client.leave();
  client.setAudioEnabled(false);
  expect(client.state.audioEnabled).toBe(false);
  expect([client.getAIAudioTrack(), client.getAIVideoTrack(), client.state.localAudioTrack]).toEqual([null, null, null]);
  expect((await client.getStats()).sendBps).toBe(0);
});

describe('a token', () => {
  const codeOf = (agoS: number) => {
    const exp = Math.floor(Date.now() / 1000) - agoS;
    const token = `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.s`;
    return new SpikeClient({ ...GIVEN, token, audio: false, video: false }).join().then(() => null, ({ code }: SpikeError) => code);
  };

  it('that has expired long ago by the clock of this machine is not even sent', async () => expect(await codeOf(301)).toBe('TOKEN_EXPIRED'));

  // happy-dom has no WebRTC: that it is missed shows that the token was good enough to connect with
  it('that has expired just now is left to the server, whose clock may be another', async () => expect(await codeOf(290)).toBe('CONNECTION_FAILED'));
});

describe('beside the voice', () => {
  it('what nobody could take is refused', async () => {
    const client = new SpikeClient(GIVEN);
    expect(() => client.sendDtmf('A')).toThrow('keys are some of 0123456789*#, not "A"');
    expect(() => client.appendToContext('x', { role: 'ai' as never })).toThrow('role must be "user" or "system", not "ai"');
    expect(() => client.appendToContext('x')).toThrow('messages need a connection');
    await expect(client.sendPicture(new Blob())).rejects.toThrow('messages need a connection');
  });

  it('the button needs its option, and a conversation', () => {
    expect(() => new SpikeClient(GIVEN).startTalking()).toThrow('talking by a button needs turnDetection: "push-to-talk"');
    expect(() => new SpikeClient({ ...GIVEN, turnDetection: 'push-to-talk' }).stopTalking()).toThrow('talking needs a conversation; this client is disconnected');
  });

  it('the volume is a share', () => {
    const client = new SpikeClient(GIVEN);
    expect(client.volume).toBe(1);
    client.volume = 0.25;
    expect(client.volume).toBe(0.25);
    for (const wrong of [-0.1, 1.1, NaN, '1', null]) {
      expect(() => (client.volume = wrong as number)).toThrow('volume must be a number from 0 to 1');
    }
  });

  it('the history follows the events', () => {
    const client = new SpikeClient(GIVEN);
    const emit = (...event: Event) => (client as unknown as { emit(event: Event): void }).emit(event);
    emit('ai-speaking', { transcript: 'Hi there', audioLevel: 0 });
    emit('ai-idle', { interrupted: true });
    expect(client.history).toMatchObject([{ speaker: 'ai', text: 'Hi there', heard: 'Hi there', interrupted: true }]);
  });
});

describe('state', () => {
  it('follows a conversation', () => {
    const events: Event[] = [
      ['connected'],
      ['user-started-speaking'],
      ['user-transcript', { transcript: 'hello', final: true }],
      ['user-stopped-speaking'],
      ['ai-thinking'],
      ['ai-speaking', { transcript: 'Hi', audioLevel: 0.2 }],
    ];
    const state = events.reduce(after, INITIAL_STATE);
    expect(state).toMatchObject({ isConnected: true, isAISpeaking: true, isAIThinking: false, aiTranscript: 'Hi', userTranscript: 'hello' });
    expect(after(state, ['ai-idle', { interrupted: true }])).toMatchObject({ isAISpeaking: false, aiTranscript: 'Hi', audioLevel: 0 });
    expect(after(state, ['disconnected', 'network', { willReconnect: true }])).toMatchObject({ status: 'reconnecting', isConnected: false });
    expect(after(state, ['disconnected', 'left', { willReconnect: false }])).toMatchObject({ status: 'disconnected', aiTranscript: 'Hi' });
  });

  it('stays the same object where nothing changes', () => {
    const state = after(INITIAL_STATE, ['ai-thinking']);
    expect(after(state, ['ai-thinking'])).toBe(state);
    expect(after(state, ['message', { data: 1, type: null, replyTo: null }])).toBe(state);
  });
});

it('each status of a server is an error', () => {
  const codes = [401, 403, 404, 410, 429, 500].map((status) => [errorOfStatus(status, '').code, errorOfStatus(status, '').canRetry]);
  expect(codes).toEqual([
    ['TOKEN_EXPIRED', false],
    ['CONNECTION_FAILED', false],
    ['CONVERSATION_ENDED', false],
    ['CONVERSATION_ENDED', false],
    ['CONNECTION_FAILED', true],
    ['CONNECTION_FAILED', true],
  ]);
  expect(errorOfStatus(503, 'full').message).toBe('the server answered 503: full');
});

it('each failure of a device is an error', () => {
  const names = ['NotAllowedError', 'NotFoundError', 'OverconstrainedError', 'NotReadableError', 'InsecureContextError'];
  expect(names.map((name) => mediaError('audio', { name }).code)).toEqual([
    'MEDIA_PERMISSION_DENIED',
    'DEVICE_NOT_FOUND',
    'DEVICE_NOT_FOUND',
    'DEVICE_IN_USE',
    'MEDIA_PERMISSION_DENIED',
  ]);
});

it('figures are rates of what has grown', () => {
  const report = (bytes: number, lost: number, concealed: number) =>
    new Map(
      [
        { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
        { id: 'P', type: 'candidate-pair', bytesReceived: bytes, bytesSent: 2 * bytes, localCandidateId: 'L', currentRoundTripTime: 0.05 },
        { id: 'L', type: 'local-candidate', candidateType: 'relay' },
        { id: 'A', type: 'inbound-rtp', kind: 'audio', packetsReceived: bytes / 10, packetsLost: lost, jitter: 0.004, concealedSamples: concealed, totalSamplesReceived: bytes, jitterBufferDelay: bytes / 20, jitterBufferEmittedCount: bytes },
        { id: 'O', type: 'media-playout', totalPlayoutDelay: bytes / 50, totalSamplesCount: bytes },
      ].map((entry) => [entry.id, entry]),
    ) as unknown as RTCStatsReport;
  const [before, now] = [sampleOf(report(1000, 0, 0), 0), sampleOf(report(2000, 100, 250), 1000)];
  const stats = statsSince(before, now, 10);
  expect(stats).toMatchObject({ receiveBps: 8000, sendBps: 16000, inboundLoss: 0.5, concealed: 0.25 });
  expect(stats).toMatchObject({ jitterBufferMs: 50, userToAiMs: 10 + 20 + 6.5 + 25, aiToUserMs: 6.5 + 25 + 50 + 20 });
  expect(statsSince(before, now)).toMatchObject({ userToAiMs: null });
  expect(stats.network).toMatchObject({ roundTripTimeMs: 50, jitterMs: 4, path: 'relay' });
});

it('a connection is as good as a person would find it', () => {
  expect([qualityOf(0, null), qualityOf(0, 199), qualityOf(0.02, 10), qualityOf(0, 200), qualityOf(0.08, 10), qualityOf(0, 500)]).toEqual([
    'good', 'good', 'fair', 'fair', 'poor', 'poor',
  ]);
});
