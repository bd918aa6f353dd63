/** The browser's client: `new SpikeClient({ conversationUrl, token })`, `join()`, events, `leave()`. */
export { SpikeClient } from './client';
export { SpikeError, type ErrorCode } from './errors';
export type * from './events';
export { Meter } from './meter';
export type { ClientOptions, VideoQuality } from './options';
export { INITIAL_STATE, type ConversationState, type Status } from './state';
export type { ClientStats, TransportStats } from './stats';
