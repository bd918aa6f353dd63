const PATHS = {
  mic: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11a7 7 0 0 0 14 0M12 18v3',
  'mic-off': 'M9 9v3a3 3 0 0 0 5 2M15 11V6a3 3 0 0 0-6-.5M5 11a7 7 0 0 0 11 5.7M19 11a7 7 0 0 1-.6 2.8M12 18v3M4 3l16 18',
  camera: 'M3 7h11v10H3zM14 11l7-4v10l-7-4z',
  'camera-off': 'M7 7h7v7M14 17H3V7M16 12l5-5v10l-3-2M4 3l16 18',
  stop: 'M6 6h12v12H6z',
  devices: 'M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  leave: 'M14 4H5v16h9M10 12h11M17 8l4 4-4 4',
} as const;

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" className="icon">
      <path d={PATHS[name]} />
    </svg>
  );
}
