import type { ErrorCode } from '@spike/client';

/** A failure for a person: what is wrong, and what to do about it. */
export interface Notice {
  title: string;
  advice: string;
}

/** Shown until the client has connected again. */
export const BROKEN: Notice = { title: 'The connection broke.', advice: 'Trying to connect again. The conversation goes on where it stopped.' };

export function noticeOf(error: { code: ErrorCode; message: string }, secure = globalThis.isSecureContext): Notice {
  const device = /camera/.test(error.message) ? 'camera' : /loudspeaker/.test(error.message) ? 'loudspeaker' : 'microphone';
  switch (error.code) {
    case 'MEDIA_PERMISSION_DENIED':
      return secure
        ? {
            title: `The browser does not let this page use the ${device}.`,
            advice: `Allow it with the icon beside the address, then choose the ${device} under Devices. Until then, type.`,
          }
        : {
            title: `Browsers give the ${device} to secure pages only.`,
            advice: 'Open this page as https, or as http://localhost on the machine that serves it. Until then, type.',
          };
    case 'DEVICE_NOT_FOUND':
      return { title: `The ${device} is not there.`, advice: `Plug it in, or choose another under Devices. Until then, type.` };
    case 'DEVICE_IN_USE':
      return { title: `The ${device} cannot be opened.`, advice: 'Close the program that uses it, then choose it again under Devices.' };
    case 'TOKEN_EXPIRED':
      return { title: 'This invitation is not valid any more.', advice: 'Ask who runs the server for a new address.' };
    case 'CONVERSATION_ENDED':
      return { title: 'The server has ended the conversation.', advice: 'Start another one.' };
    case 'CONNECTION_FAILED':
      if (error.message.includes('no WebRTC')) {
        return { title: 'This browser has no WebRTC, or has it switched off.', advice: 'Open this page in Chrome, Edge, Firefox or Safari.' };
      }
      return {
        title: 'The server cannot be reached.',
        advice: 'See whether it runs and whether the network lets UDP through, then try again.',
      };
    case 'SERVER_ERROR':
      return { title: 'The AI had a problem.', advice: 'Say it once more. If it stays, the log of the server knows why.' };
    default:
      return { title: 'That did not work.', advice: error.message };
  }
}

export function noticeOfRefusal(status: number): Notice {
  if (status === 401) return noticeOf({ code: 'TOKEN_EXPIRED', message: '' });
  if (status === 503 || status === 429) {
    return { title: 'All seats are taken.', advice: 'Try again in a minute, when somebody has left.' };
  }
  return noticeOf({ code: 'CONNECTION_FAILED', message: '' });
}
