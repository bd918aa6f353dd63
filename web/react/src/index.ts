/** React hooks for a conversation: `SpikeProvider`, `useConversation`, `useSpikeConversation`, `AIVideo`. */
export { AIVideo, PlaybackButton } from './components';
export { useConversation, useConversationEvent, useSpikeConversation, type Actions, type Conversation } from './conversation';
export { SpikeProvider } from './provider';
