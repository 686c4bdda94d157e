// In the corner of the map: zoom, show everything, tidy up, save a picture.
import { ActionIcon, Button, Tooltip } from '@mantine/core';
import {
  IconCamera,
  IconFocusCentered,
  IconMinus,
  IconPlus,
  IconSparkles,
  type Icon,
} from '@tabler/icons-react';
import type { RefObject } from 'react';
import type { MapView } from '../../graph/render/view';
import type { Layout } from './useLayout';
import classes from './Map.module.css';

const zoomFactor = 1.5;

export interface CameraButtonsProps {
  view: RefObject<MapView | null>;
  layout: Layout;
  onTidy: () => void;
}

export function CameraButtons({ view, layout, onTidy }: CameraButtonsProps) {
  return (
    <div
      className={classes.camera}
      role="toolbar"
      aria-label="View of the map"
      aria-orientation="vertical"
    >
      {layout.undo && (
        <Button variant="default" onClick={layout.undo} className={classes.undo}>
          Undo tidying
        </Button>
      )}
      <CameraButton
        label="Zoom in (+)"
        icon={IconPlus}
        onClick={() => view.current?.zoom(zoomFactor)}
      />
      <CameraButton
        label="Zoom out (-)"
        icon={IconMinus}
        onClick={() => view.current?.zoom(1 / zoomFactor)}
      />
      <CameraButton
        label="Show everything (0)"
        icon={IconFocusCentered}
        onClick={() => view.current?.fit(true)}
      />
      <CameraButton label="Tidy up: lay out afresh" icon={IconSparkles} onClick={onTidy} />
      <CameraButton
        label="Save as PNG"
        icon={IconCamera}
        onClick={() => view.current && savePicture(view.current)}
      />
    </div>
  );
}

interface CameraButtonProps {
  label: string;
  icon: Icon;
  onClick: () => void;
}

function CameraButton({ label, icon: Glyph, onClick }: CameraButtonProps) {
  return (
    <Tooltip label={label} position="right">
      <ActionIcon variant="default" size={30} aria-label={label} onClick={onClick}>
        <Glyph size={16} stroke={1.7} />
      </ActionIcon>
    </Tooltip>
  );
}

function savePicture(view: MapView): void {
  view.picture().toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `weir-map-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.png`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
