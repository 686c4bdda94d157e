// Chooses the layer: transport, requests or names.
import { SegmentedControl } from '@mantine/core';
import { layerDocs, layerLabels, layers, type Layer } from '../domain/layer';

export interface LayerSwitchProps {
  label: string;
  value: Layer;
  onChange: (layer: Layer) => void;
}

export function LayerSwitch({ label, value, onChange }: LayerSwitchProps) {
  return (
    <SegmentedControl
      aria-label={label}
      value={value}
      onChange={(layer) => onChange(layer as Layer)}
      data={layers.map((layer) => ({
        value: layer,
        label: <span title={layerDocs[layer]}>{layerLabels[layer]}</span>,
      }))}
    />
  );
}
