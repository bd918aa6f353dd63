import {
  INITIAL_STATE,
  SpikeClient,
  type ClientOptions,
  type ConversationState,
  type Devices,
  type EventMap,
  type EventName,
} from '@spike/client';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useStore } from './provider';

/** What both hooks return: the state of the conversation, and what can be done with it. The functions stay the same. */
export interface Conversation extends ConversationState, Actions {
  /** For everything else; null below a provider in which nobody called `useConversation`. */
  client: SpikeClient | null;
}

export interface Actions {
  /** Never rejects: what goes wrong is in `error`. It may be an event handler as it is. */
  join(): Promise<void>;
  leave(): Promise<void>;
  reconnect(): Promise<void>;
  sendText(content: string, options?: { respond?: boolean; speak?: boolean }): void;
  interrupt(): void;
  /** With `turnDetection: 'push-to-talk'`: the button is down. */
  startTalking(): void;
  /** The button is up. */
  stopTalking(): void;
  setAudioEnabled(enabled: boolean): void;
  setVideoEnabled(enabled: boolean): void;
  setAudioDevice(deviceId: string): Promise<void>;
  setVideoDevice(deviceId: string): Promise<void>;
  setOutputDevice(deviceId: string | null): Promise<void>;
  getDevices(): Promise<Devices>;
  /** Play the AI's voice where the browser waits for a click (`isPlaybackBlocked`). */
  startPlayback(): Promise<void>;
}

/**
 * A conversation that lives as long as the component that calls this. Other options make another one.
 *
 * Pass null while there is no address or token yet.
 */
export function useConversation(options: ClientOptions | null): Conversation {
  const store = useStore();
  const client = useClient(options);
  useEffect(() => {
    store.set(client);
    return () => {
      void client?.leave();
      if (store.get() === client) store.set(null);
    };
  }, [store, client]);
  return useConversationOf(client);
}

/** The conversation of the nearest provider, for the components that show parts of it. */
export function useSpikeConversation(): Conversation {
  const store = useStore();
  return useConversationOf(useSyncExternalStore(store.observe, store.get, () => null));
}

/** Call `handler`, always the newest, with each event of the nearest provider's conversation. */
export function useConversationEvent<Name extends EventName>(name: Name, handler: (...args: EventMap[Name]) => unknown): void {
  const store = useStore();
  const client = useSyncExternalStore(store.observe, store.get, () => null);
  const newest = useNewest(handler);
  useEffect(() => {
    const call = (...args: EventMap[Name]) => newest.current(...args);
    return client?.on(name, call);
  }, [client, name, newest]);
}

function useClient(options: ClientOptions | null): SpikeClient | null {
  // Functions are left out of the key, so that a component may write them in place.
  const key = JSON.stringify(options);
  const newest = useNewest(options);
  const create = () => ({ key, client: options && newClient(options, newest) });
  const [held, hold] = useState(create);
  if (held.key === key) return held.client;
  const next = create();
  hold(next);
  return next.client;
}

function newClient(options: ClientOptions, newest: { current: ClientOptions | null }): SpikeClient {
  return new SpikeClient({
    ...options,
    onConnected: () => newest.current?.onConnected?.(),
    onDisconnected: (reason) => newest.current?.onDisconnected?.(reason),
    onError: (error) => newest.current?.onError?.(error),
  });
}

function useNewest<T>(value: T): { current: T } {
  const newest = useRef(value);
  useEffect(() => {
    newest.current = value;
  });
  return newest;
}

function useConversationOf(client: SpikeClient | null): Conversation {
  const observe = useCallback((observer: () => void) => client?.observe(observer) ?? (() => undefined), [client]);
  const state = useSyncExternalStore(observe, () => client?.state ?? INITIAL_STATE, () => INITIAL_STATE);
  const actions = useMemo(() => actionsOf(client), [client]);
  return useMemo(() => ({ ...state, ...actions, client }), [state, actions, client]);
}

function actionsOf(client: SpikeClient | null): Actions {
  const told = () => undefined; // the state has the error already
  const need = (): SpikeClient => {
    if (!client) throw new Error('there is no conversation: call useConversation below this provider');
    return client;
  };
  return {
    join: async () => need().join().catch(told),
    leave: async () => need().leave(),
    reconnect: async () => need().reconnect().catch(told),
    sendText: (content, options) => need().sendText(content, options),
    interrupt: () => need().interrupt(),
    startTalking: () => need().startTalking(),
    stopTalking: () => need().stopTalking(),
    setAudioEnabled: (enabled) => need().setAudioEnabled(enabled),
    setVideoEnabled: (enabled) => need().setVideoEnabled(enabled),
    setAudioDevice: async (deviceId) => need().setAudioDevice(deviceId),
    setVideoDevice: async (deviceId) => need().setVideoDevice(deviceId),
    setOutputDevice: async (deviceId) => need().setOutputDevice(deviceId),
    getDevices: async () => need().getDevices(),
    startPlayback: async () => need().startPlayback(),
  };
}
