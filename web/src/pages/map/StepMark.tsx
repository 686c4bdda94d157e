// One of the five intervals as a small gauge, the same as the ring of a node: its length says
// what its colour says.
import { useComputedColorScheme } from '@mantine/core';
import { fillPalette, outOfRangeColor } from '../../base/palette';
import type { Step } from '../../graph/intervals';

const radius = 5.5;
const around = 2 * Math.PI * radius;

export function StepMark({ step, size = 16 }: { step: Step; size?: number }) {
  const scheme = useComputedColorScheme('light');
  const color = step === null ? outOfRangeColor(scheme) : fillPalette(scheme)[step];
  const filled = step === null ? around / 16 : (around * (step + 1)) / 5;
  const gap = step === null ? around / 16 : around - filled;
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden style={{ flex: 'none' }}>
      <circle cx="8" cy="8" r={radius} fill={color} fillOpacity={0.16} />
      <circle
        cx="8"
        cy="8"
        r={radius}
        fill="none"
        stroke={color}
        strokeOpacity={0.25}
        strokeWidth="2.6"
      />
      <circle
        cx="8"
        cy="8"
        r={radius}
        fill="none"
        stroke={color}
        strokeWidth="2.6"
        strokeDasharray={`${filled} ${gap}`}
        transform="rotate(-90 8 8)"
      />
    </svg>
  );
}
