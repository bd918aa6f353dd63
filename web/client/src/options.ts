import { SpikeError } from './errors';
import type { DisconnectReason } from './events';

export type VideoQuality = 'low' | 'medium' | 'high';

/** What a client can be told. Only the first two have no default. */
export interface ClientOptions {
  /** Address of the conversation, `http://` or `https://`. */
  conversationUrl: string;
  /** The conversation's token, as its server gave it. */
  token: string;
  /** Send the microphone. */
  audio?: boolean;
  /** Send the camera and receive the AI's picture; false is voice only. */
  video?: boolean;
  /** `'default'` or the id of a microphone. */
  audioSource?: string;
  /** `'default'`, the id of a camera, or `'screen'` for what the user chooses to share. */
  videoSource?: string;
  /** Where the AI's voice plays: `'default'`, the id of a loudspeaker, or null to leave it to the page. */
  audioOutput?: string | null;
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
  /** 320x180 at 15, 640x360 at 24 or 1280x720 at 30 pictures a second. */
  videoQuality?: VideoQuality;
  onConnected?: (() => unknown) | null;
  onDisconnected?: ((reason: DisconnectReason) => unknown) | null;
  onError?: ((error: SpikeError) => unknown) | null;
  /** Who says that the user speaks: the server, or the page by `startTalking()` and `stopTalking()`. */
  turnDetection?: 'server' | 'push-to-talk';
  /** `'smallwebrtc'` (RTVI), `'openai'` (Realtime), or null to choose by the address. */
  transport?: 'smallwebrtc' | 'openai' | null;
  /**
   * How long `join()`, or one attempt to reconnect, waits for a sign of the server's once the devices are open. While
   * signs come, on a network that loses many packets, it may take four times as long.
   */
  joinTimeoutS?: number;
  /** Bring the conversation back by itself when the network broke, for up to a minute. */
  autoReconnect?: boolean;
  iceServers?: RTCIceServer[];
  /** `'relay'` sends nothing but through a TURN server. */
  iceTransportPolicy?: RTCIceTransportPolicy;
}

export type Options = Required<ClientOptions>;

export const QUALITIES: Record<VideoQuality, { width: number; height: number; fps: number; bps: number }> = {
  low: { width: 320, height: 180, fps: 15, bps: 200_000 },
  medium: { width: 640, height: 360, fps: 24, bps: 600_000 },
  high: { width: 1280, height: 720, fps: 30, bps: 1_500_000 },
};

const DEFAULTS = {
  audio: true,
  video: true,
  audioSource: 'default',
  videoSource: 'default',
  audioOutput: 'default',
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  videoQuality: 'high',
  onConnected: null,
  onDisconnected: null,
  onError: null,
  turnDetection: 'server',
  transport: null,
  joinTimeoutS: 4.5,
  autoReconnect: true,
  iceServers: [],
  iceTransportPolicy: 'all',
} as const;

/** The options with their defaults; throws `INVALID_OPTION` where one has a value that it does not accept. */
export function checkedOptions(given: ClientOptions): Options {
  const options = { ...DEFAULTS, ...dropUndefined(given) } as Options;
  const fail = (name: string, accepted: string): never => {
    const value = JSON.stringify(options[name as keyof Options]);
    throw new SpikeError('INVALID_OPTION', `${name} must be ${accepted}, not ${value}`);
  };
  if (!isHttpUrl(options.conversationUrl)) fail('conversationUrl', 'an http:// or https:// address');
  if (typeof options.token !== 'string' || !options.token) fail('token', 'a text that is not empty');
  for (const [name, value] of Object.entries(options)) {
    const byDefault = DEFAULTS[name as keyof typeof DEFAULTS];
    if (byDefault === undefined && name !== 'conversationUrl' && name !== 'token') {
      throw new SpikeError('INVALID_OPTION', `there is no option ${name}`);
    }
    if (typeof byDefault === 'boolean' && typeof value !== 'boolean') fail(name, 'true or false');
    if (name.startsWith('on') && value !== null && typeof value !== 'function') fail(name, 'a function or null');
  }
  for (const name of ['audioSource', 'videoSource', 'audioOutput'] as const) {
    const isNull = name === 'audioOutput' && options[name] === null;
    if (!isNull && (typeof options[name] !== 'string' || !options[name])) fail(name, "'default' or a device id");
  }
  oneOf('videoQuality', ['low', 'medium', 'high']);
  oneOf('turnDetection', ['server', 'push-to-talk']);
  oneOf('transport', [null, 'smallwebrtc', 'openai']);
  oneOf('iceTransportPolicy', ['all', 'relay']);
  if (!(options.joinTimeoutS > 0 && options.joinTimeoutS < Infinity)) fail('joinTimeoutS', 'a number of seconds above 0');
  if (!Array.isArray(options.iceServers)) fail('iceServers', 'a list');
  return options;

  function oneOf(name: keyof Options, accepted: unknown[]): void {
    if (!accepted.includes(options[name])) fail(name, accepted.map((each) => JSON.stringify(each)).join(', '));
  }
}

function dropUndefined(given: ClientOptions): Partial<ClientOptions> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function isHttpUrl(url: unknown): boolean {
  try {
    return typeof url === 'string' && /^https?:$/.test(new URL(url).protocol);
  } catch {
    return false;
  }
}
