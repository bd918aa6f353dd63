import { Emitter } from './emitter';
import { SpikeError } from './errors';
import type { FunctionCall } from './events';
import type { FunctionOptions, PageFunction } from './functions';
import type { Session } from './session';
import type { Picture } from './still';
import type { Role } from './wire';

/**
 * What a page can say to the AI and its server beside the voice: every call throws `INVALID_STATE` while there is no
 * connection. Functions are the exception: they are registered at any time, and stay for every connection to come.
 */
export abstract class Messages extends Emitter {
  protected readonly functions = new Map<string, PageFunction>();

  /** The one that there is, or `INVALID_STATE`. */
  protected abstract session(): Session;
  protected abstract functionsChanged(): void;

  /** Send a message to the server's application; its answer is a `message` event with this id in `replyTo`. */
  sendMessage(type: string, data: unknown = null): string {
    const session = this.session();
    const [id, texts] = session.wire.message(type, data);
    session.send(texts);
    return id;
  }

  /** Type instead of talking. `respond: false` only lets the AI know, `speak: false` leaves the answer text. */
  sendText(content: string, { respond = true, speak = true } = {}): void {
    const session = this.session();
    session.send(session.wire.text(content, { respond, speak }));
  }

  /**
   * Show the AI one picture: an element of the page, a canvas, a file. It travels as a JPEG of at most 1280 pixels. What
   * is no picture is `INVALID_OPTION`.
   */
  async sendPicture(picture: Picture, caption = '', { respond = true, speak = true } = {}): Promise<void> {
    this.session();
    const still = await (await import('./still')).stillOf(picture);
    const session = this.session();
    session.send(session.wire.picture(still, caption, { respond, speak }));
  }

  /**
   * Let the AI know something without answering or being interrupted. With RTVI, the role `system` is a client message
   * `append-to-context` that the server's application must know.
   */
  appendToContext(content: string, { role = 'user' }: { role?: Role } = {}): void {
    if (!['user', 'system'].includes(role)) throw new SpikeError('INVALID_OPTION', `role must be "user" or "system", not "${role}"`);
    const session = this.session();
    session.send(session.wire.context(content, role));
  }

  /** Press keys of a telephone, one after the other. OpenAI takes none over WebRTC, so its AI reads them as a text. */
  sendDtmf(keys: string): void {
    if (!/^[0-9*#]+$/.test(keys)) throw new SpikeError('INVALID_OPTION', `keys are some of 0123456789*#, not "${keys}"`);
    const session = this.session();
    session.send(session.wire.keys(keys));
  }

  /** Silence the AI now, and ask the server to stop it. */
  interrupt(): void {
    this.session().interrupt();
  }

  /**
   * Have `call` carried out whenever the AI calls it, and what it returns told to the AI. It gets the arguments as one
   * object. The AI is told `{ error }` where they do not fit `parameters`, where `call` throws or takes too long, and
   * where JSON cannot hold what it returns. A name that is taken is replaced.
   */
  registerFunction(call: (args: any) => unknown, options: FunctionOptions = {}): void {
    if (typeof call !== 'function') throw new SpikeError('INVALID_OPTION', `a function must be one, not ${typeof call}`);
    const { name = call.name, description = '', parameters = { type: 'object' }, timeoutS = 10, declare = true } = options;
    if (!/^[\w-]{1,64}$/.test(name)) {
      throw new SpikeError('INVALID_OPTION', `a function is named by 1 to 64 letters, digits, _ and -, not "${name}"`);
    }
    if (!(timeoutS > 0 && timeoutS < Infinity)) {
      throw new SpikeError('INVALID_OPTION', `timeoutS must be a number of seconds above 0, not ${timeoutS}`);
    }
    this.functions.set(name, { call, name, description, parameters, timeoutS, declare });
    if (declare) this.functionsChanged();
  }

  /** Carry out calls of `name` no more; one that was never registered is no error. */
  unregisterFunction(name: string): void {
    const known = this.functions.get(name);
    this.functions.delete(name);
    if (known?.declare) this.functionsChanged();
  }

  /** Give the AI what a function has returned that the page carries out by itself, without registering it. */
  sendFunctionResult(call: FunctionCall, result: unknown): void {
    const session = this.session();
    session.send(session.wire.functionResult(call, result));
  }
}
