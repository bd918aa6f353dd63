import type { EventMap, EventName } from './events';

export type Handler<Name extends EventName> = (...args: EventMap[Name]) => unknown;

/** Handlers by the name of their event. One that throws is logged and stops no other. */
export class Emitter {
  private readonly handlers = new Map<EventName, Set<Handler<EventName>>>();

  /** Call `handler` with each event of this name; returns what takes it off again. */
  on<Name extends EventName>(name: Name, handler: Handler<Name>): () => void {
    const handlers = this.handlers.get(name) ?? new Set();
    this.handlers.set(name, handlers.add(handler as Handler<EventName>));
    return () => this.off(name, handler);
  }

  /** The same for the next event only. */
  once<Name extends EventName>(name: Name, handler: Handler<Name>): () => void {
    const off = this.on(name, (...args) => {
      off();
      return handler(...args);
    });
    return off;
  }

  off<Name extends EventName>(name: Name, handler: Handler<Name>): void {
    this.handlers.get(name)?.delete(handler as Handler<EventName>);
  }

  /** The arguments of the next event of this name; rejects after `timeoutS` seconds. */
  waitFor<Name extends EventName>(name: Name, timeoutS = Infinity): Promise<EventMap[Name]> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutS < Infinity
          ? setTimeout(() => {
              off();
              reject(new Error(`no ${name} within ${timeoutS} s`));
            }, timeoutS * 1000)
          : undefined;
      const off = this.once(name, (...args) => {
        clearTimeout(timer);
        resolve(args);
      });
    });
  }

  /** Somebody listens. */
  protected isHeard(name: EventName): boolean {
    return Boolean(this.handlers.get(name)?.size);
  }

  protected deliver<Name extends EventName>(name: Name, args: EventMap[Name]): void {
    for (const handler of [...(this.handlers.get(name) ?? [])]) {
      const failed = (error: unknown) => console.error(`a handler of "${name}" failed:`, error);
      try {
        Promise.resolve(handler(...args)).catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
