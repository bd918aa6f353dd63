/** Why something failed, as a string that a program can compare. */
export type ErrorCode =
  | 'CONNECTION_FAILED'
  | 'CONVERSATION_ENDED'
  | 'DEVICE_IN_USE'
  | 'DEVICE_NOT_FOUND'
  | 'INVALID_OPTION'
  | 'INVALID_STATE'
  | 'MEDIA_PERMISSION_DENIED'
  | 'SERVER_ERROR'
  | 'TOKEN_EXPIRED';

/** What `join()` and the other methods throw, and what `error` handlers get. `message` is one sentence for a person. */
export class SpikeError extends Error {
  override readonly name = 'SpikeError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Trying again later may help. */
    readonly canRetry = false,
  ) {
    super(message);
  }
}

export const connectionFailed = (message: string, canRetry = true) =>
  new SpikeError('CONNECTION_FAILED', message, canRetry);

export const conversationEnded = (message: string) => new SpikeError('CONVERSATION_ENDED', message);

/** What an HTTP status other than success means for a conversation. */
export function errorOfStatus(status: number, body: string): SpikeError {
  const text = body.slice(0, 200).trim();
  const message = `the server answered ${status}${text && `: ${text}`}`;
  if (status === 401) return new SpikeError('TOKEN_EXPIRED', message);
  if (status === 404 || status === 410) return conversationEnded(message);
  return connectionFailed(message, status >= 500 || [408, 425, 429].includes(status));
}

/** What a failure of `getUserMedia` means (Media Capture and Streams, section 10.2). */
export function mediaError(kind: 'audio' | 'video', failure: unknown): SpikeError {
  const device = kind === 'audio' ? 'microphone' : 'camera';
  switch ((failure as DOMException | undefined)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new SpikeError('MEDIA_PERMISSION_DENIED', `this page may not use the ${device}`);
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new SpikeError('DEVICE_NOT_FOUND', `there is no such ${device}`);
    case 'InsecureContextError':
      return new SpikeError('MEDIA_PERMISSION_DENIED', `browsers give the ${device} to https and localhost pages only`);
    default:
      return new SpikeError('DEVICE_IN_USE', `the ${device} cannot be opened: ${String(failure)}`);
  }
}
