import type { Device, Devices } from '@spike/client';
import { useConversationEvent, useSpikeConversation } from '@spike/react';
import { useCallback, useEffect, useId, useState } from 'react';
import { Icon } from './icons';
import type { Notice } from './words';
import { noticeOf } from './words';

/** Mute, camera, stop, devices, leave. */
export function Controls({ onStop, onNotice }: { onStop: () => void; onNotice: (notice: Notice) => void }) {
  const { audioEnabled, videoEnabled, isAISpeaking, isConnected, setAudioEnabled, setVideoEnabled, leave } = useSpikeConversation();
  const [showsDevices, showDevices] = useState(false);
  return (
    <div className="controls">
      <div className="buttons" role="toolbar" aria-label="Your part">
        <button type="button" aria-pressed={!audioEnabled} aria-keyshortcuts="m" className={audioEnabled ? '' : 'alert'} onClick={() => setAudioEnabled(!audioEnabled)}>
          <Icon name={audioEnabled ? 'mic' : 'mic-off'} />
          {audioEnabled ? 'Mute' : 'Unmute'}
        </button>
        <button type="button" aria-pressed={videoEnabled} onClick={() => setVideoEnabled(!videoEnabled)}>
          <Icon name={videoEnabled ? 'camera' : 'camera-off'} />
          {videoEnabled ? 'Camera off' : 'Camera on'}
        </button>
        <button type="button" aria-keyshortcuts="Escape" disabled={!isAISpeaking || !isConnected} onClick={onStop}>
          <Icon name="stop" />
          Stop the AI
        </button>
        <button type="button" aria-expanded={showsDevices} onClick={() => showDevices(!showsDevices)}>
          <Icon name="devices" />
          Devices
        </button>
        <button type="button" className="alert" onClick={() => void leave()}>
          <Icon name="leave" />
          Leave
        </button>
      </div>
      {showsDevices && <DeviceMenus onNotice={onNotice} />}
    </div>
  );
}

function DeviceMenus({ onNotice }: { onNotice: (notice: Notice) => void }) {
  const { client, getDevices, setAudioDevice, setVideoDevice, setOutputDevice } = useSpikeConversation();
  const [devices, setDevices] = useState<Devices>({ audio: [], video: [], audioOutput: [] });
  const look = useCallback(() => void getDevices().then(setDevices), [getDevices]);
  useEffect(look, [look]);
  useConversationEvent('devices-changed', setDevices);
  const use = (change: (id: string) => Promise<void>) => (id: string) => {
    void change(id).catch((error) => onNotice(noticeOf(error))).then(look);
  };
  const { audioSource, videoSource, audioOutput } = client?.options ?? {};
  return (
    <div className="menus">
      <Menu label="Microphone" devices={devices.audio} value={audioSource} onChoose={use(setAudioDevice)} />
      <Menu label="Camera" devices={devices.video} value={videoSource} onChoose={use(setVideoDevice)} />
      <Menu label="Loudspeaker" devices={devices.audioOutput} value={audioOutput} onChoose={use(setOutputDevice)} />
    </div>
  );
}

interface MenuProps {
  label: string;
  devices: Device[];
  value: string | null | undefined;
  onChoose: (id: string) => void;
}

function Menu({ label, devices, value, onChoose }: MenuProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value ?? 'default'} onChange={(event) => onChoose(event.target.value)}>
        <option value="default">The system&rsquo;s choice</option>
        {devices.map((device, index) => (
          <option key={device.id} value={device.id}>{device.name || `${label} ${index + 1}`}</option>
        ))}
      </select>
    </div>
  );
}
