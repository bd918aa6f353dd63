import './client';
import { SpikeProvider, useConversation } from '@spike/react';
import { StrictMode, createElement as h, type ComponentType } from 'react';
import { createRoot } from 'react-dom/client';

const blocks = import.meta.glob('../spec/generated/*.jsx');

/** Run one block of the specification, as a module of its own. */
const run = (name: string) => blocks[`../spec/generated/${name}.jsx`]!();

/** Show a component of the specification in the page. */
const show = (component: ComponentType) => createRoot(document.getElementById('root')!).render(h(StrictMode, null, h(component)));

/** The specification's picture in a conversation that joins by a click. */
const around = (Picture: ComponentType, options: { conversationUrl: string; token: string }) => {
  const Inner = () => {
    const { join } = useConversation(options);
    return h('div', null, h('button', { onClick: join }, 'join'), h(Picture));
  };
  return () => h(SpikeProvider, null, h(Inner));
};

Object.assign(globalThis, { run, show, around });
