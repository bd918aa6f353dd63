import type { SpikeClient } from '@spike/client';
import { createContext, useContext, useState, type ReactNode } from 'react';

/** Which client the components below a provider talk about. */
export class ClientStore {
  private client: SpikeClient | null = null;
  private readonly observers = new Set<() => void>();

  readonly get = (): SpikeClient | null => this.client;

  readonly observe = (observer: () => void): (() => void) => {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  };

  set(client: SpikeClient | null): void {
    this.client = client;
    for (const observer of [...this.observers]) observer();
  }
}

const Context = createContext<ClientStore | null>(null);

/** Put it around everything that uses a conversation. */
export function SpikeProvider({ children }: { children?: ReactNode }) {
  const [store] = useState(() => new ClientStore());
  return <Context.Provider value={store}>{children}</Context.Provider>;
}

export function useStore(): ClientStore {
  const store = useContext(Context);
  if (!store) throw new Error('the hooks of @spike/react need a <SpikeProvider> around them');
  return store;
}
