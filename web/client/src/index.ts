/** The browser's client: `new SpikeClient({ conversationUrl, token })`, `join()`, events, `leave()`. */
export { SpikeClient } from './client';
export { SpikeError, type ErrorCode } from './errors';
export type * from './events';
export type { FunctionOptions } from './functions';
export type { Turn, Word } from './history';
export { Meter } from './meter';
export type { ClientOptions, VideoQuality } from './options';
export { INITIAL_STATE, type ConversationState, type Status } from './state';
export type { Picture } from './still';
export type { ClientStats, TransportStats } from './stats';
