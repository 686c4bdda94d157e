// The mark: water going over a weir.
export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden>
      <rect width="24" height="24" rx="6" fill="#0b7a99" />
      <path
        d="M4 9.5c2.3 0 2.3-2 4.6-2s2.3 2 4.6 2 2.3-2 4.6-2c1.1 0 1.7.5 2.2 1"
        fill="none"
        stroke="#fff"
        strokeWidth="1.9"
        strokeLinecap="round"
      />
      <path
        d="M6 13v4.5M10 13v4.5M14 13v4.5M18 13v4.5"
        stroke="#a9e4f3"
        strokeWidth="1.9"
        strokeLinecap="round"
      />
    </svg>
  );
}
