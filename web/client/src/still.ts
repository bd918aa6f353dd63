import { SpikeError } from './errors';

/** What can be shown: an element, a canvas, a bitmap, a picture's file. */
export type Picture = ImageBitmapSource;

/** A picture as JPEG (ITU T.81) in base64, and its size in pixels. */
export interface Still {
  jpeg: string;
  width: number;
  height: number;
}

// A data channel carries messages of 64 KiB, and base64 makes four bytes of three.
const MOST_BYTES = 44_000;
const SIDES = [1280, 960, 640, 480, 320, 160];
const QUALITY = 0.85; // fine enough to read small print

/** `picture`, no larger than a message may be: where it is, it is scaled down. */
export async function stillOf(picture: Picture): Promise<Still> {
  const bitmap = await createImageBitmap(picture).catch((error: unknown) => {
    throw new SpikeError('INVALID_OPTION', `picture must be an image, a video, a canvas or a file of one: ${String(error)}`);
  });
  try {
    for (const side of SIDES) {
      const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
      const [width, height] = [bitmap.width, bitmap.height].map((each) => Math.max(1, Math.round(scale * each))) as [number, number];
      const blob = await jpegOf(bitmap, width, height);
      if (blob.size <= MOST_BYTES || side === SIDES.at(-1)) return { jpeg: await base64Of(blob), width, height };
    }
    throw new Error('unreachable');
  } finally {
    bitmap.close();
  }
}

function jpegOf(bitmap: ImageBitmap, width: number, height: number): Promise<Blob> {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#fff'; // JPEG knows no transparency
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    const failed = () => reject(new SpikeError('INVALID_OPTION', 'this browser cannot encode the picture'));
    canvas.toBlob((blob) => (blob ? resolve(blob) : failed()), 'image/jpeg', QUALITY);
  });
}

function base64Of(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(',')[1]!);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
