// Which labels are drawn where, so that none covers another. Pure: boxes in screen pixels.

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface LabelWish {
  id: string;
  /** Centre and radius of what is labelled. */
  x: number;
  y: number;
  radius: number;
  width: number;
  height: number;
}

export interface PlacedLabel {
  id: string;
  box: Box;
}

const cell = 64;

/** Boxes already taken, in a grid, so that asking costs the same however many there are. */
export class TakenBoxes {
  private readonly cells = new Map<number, Box[]>();

  add(box: Box): void {
    this.visit(box, (key) => {
      const list = this.cells.get(key);
      if (list) list.push(box);
      else this.cells.set(key, [box]);
      return false;
    });
  }

  isFree(box: Box): boolean {
    return !this.visit(box, (key) => {
      const list = this.cells.get(key);
      return list !== undefined && list.some((other) => overlaps(other, box));
    });
  }

  private visit(box: Box, stop: (key: number) => boolean): boolean {
    for (let x = Math.floor(box.left / cell); x <= Math.floor(box.right / cell); x += 1) {
      for (let y = Math.floor(box.top / cell); y <= Math.floor(box.bottom / cell); y += 1) {
        if (stop(x * 100_003 + y)) return true;
      }
    }
    return false;
  }
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

const gap = 3;

/**
 * Places wishes in their order (most important first): below the node, else above, right, left;
 * a label for which no place is free within the room is left out.
 */
export function placeLabels(
  wishes: readonly LabelWish[],
  taken: TakenBoxes,
  room: Box,
): PlacedLabel[] {
  const placed: PlacedLabel[] = [];
  for (const wish of wishes) {
    const box = candidates(wish).find(
      (candidate) => isWithin(candidate, room) && taken.isFree(candidate),
    );
    if (!box) continue;
    taken.add(box);
    placed.push({ id: wish.id, box });
  }
  return placed;
}

function isWithin(box: Box, room: Box): boolean {
  return (
    box.left >= room.left &&
    box.right <= room.right &&
    box.top >= room.top &&
    box.bottom <= room.bottom
  );
}

function candidates({ x, y, radius, width, height }: LabelWish): Box[] {
  const at = (left: number, top: number): Box => ({
    left,
    top,
    right: left + width,
    bottom: top + height,
  });
  return [
    at(x - width / 2, y + radius + gap),
    at(x - width / 2, y - radius - gap - height),
    at(x + radius + gap, y - height / 2),
    at(x - radius - gap - width, y - height / 2),
  ];
}
