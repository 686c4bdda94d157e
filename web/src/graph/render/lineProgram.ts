// The WebGL program of lines: ribbons along quadratic curves, with an optional arrow at the
// target, dashes where there is no value, and a loop where both ends are the same node. Ribbons
// cost only the pixels they cover, which is what lets twenty thousand of them pan.
import type { EdgeDisplayData, NodeDisplayData, RenderParams } from 'sigma/types';
import { EdgeProgram, type ProgramInfo } from 'sigma/rendering';
import { floatColor } from 'sigma/utils';

/** What the view gives each line besides sigma's own data. */
export interface LineLook {
  curvature: number;
  hasArrow: boolean;
  isDashed: boolean;
}

const vertexShader = /* glsl */ `
attribute vec3 a_strip;
attribute vec2 a_source;
attribute vec2 a_target;
attribute vec2 a_radii;
attribute float a_thickness;
attribute float a_curvature;
attribute float a_flags;
attribute vec4 a_color;
attribute vec4 a_id;
uniform mat3 u_matrix;
uniform vec2 u_dimensions;
uniform float u_sizeRatio;
uniform float u_pixelRatio;
varying vec4 v_color;
varying float v_across;
varying float v_half;
varying float v_along;
varying float v_dashed;

vec2 toPixels(vec2 position) {
  return ((u_matrix * vec3(position, 1.0)).xy + 1.0) * u_dimensions / 2.0;
}

void main() {
  float scale = u_pixelRatio / u_sizeRatio;
  float half_ = max(a_thickness * scale, 0.8 * u_pixelRatio) / 2.0;
  float wantsArrow = mod(a_flags, 2.0);
  v_dashed = floor(a_flags / 2.0);
  vec2 from = toPixels(a_source);
  vec2 to = toPixels(a_target);
  vec2 radii = max(a_radii * scale, vec2(1.6 * u_pixelRatio));
  float chord = distance(from, to);
  vec2 point;
  vec2 tangent;
  float len;
  float t;
  float arrow = (4.0 * half_ + 4.5 * scale) * wantsArrow;
  if (chord < 0.5) {
    float loop = radii.x * 0.62;
    vec2 centre = from + vec2(0.0, radii.x + loop * 0.55);
    len = loop * 6.2831853;
    arrow = 0.0;
    float angle = mix(-1.05, 4.19, a_strip.x);
    t = a_strip.x;
    point = centre + loop * vec2(cos(angle), sin(angle));
    tangent = vec2(-sin(angle), cos(angle));
  } else {
    vec2 normal = vec2(to.y - from.y, from.x - to.x) / chord;
    float bulge = min(chord * a_curvature, 90.0 * scale * (a_curvature / 0.2));
    vec2 control = (from + to) / 2.0 - normal * bulge * 2.0;
    len = (chord + distance(from, control) + distance(control, to)) / 2.0;
    float room = max(len - radii.x - radii.y, 0.0);
    arrow = min(arrow, room * 0.45);
    float tip = 1.0 - (radii.y + 1.0 * u_pixelRatio) / len;
    float base = tip - arrow / len;
    float start = radii.x / len;
    t = a_strip.z > 1.5 ? tip : mix(start, base, a_strip.x);
    float s = 1.0 - t;
    point = s * s * from + 2.0 * s * t * control + t * t * to;
    tangent = normalize(s * (control - from) + t * (to - control) + vec2(1e-6, 0.0));
  }
  float width = half_;
  if (a_strip.z > 0.5) width = a_strip.z > 1.5 ? 0.0 : half_ * 2.0 + 2.2 * scale;
  if (a_strip.z > 0.5 && arrow <= 0.0) width = 0.0;
  #ifdef PICKING_MODE
  width = max(width, 4.0 * u_pixelRatio);
  #endif
  float reach = a_strip.z > 0.5 ? width : width + 1.0;
  v_across = a_strip.y * reach;
  v_half = width;
  v_along = t * len / u_pixelRatio;
  point += vec2(-tangent.y, tangent.x) * v_across;
  gl_Position = vec4(point * 2.0 / u_dimensions - 1.0, 0.0, 1.0);
  #ifdef PICKING_MODE
  v_color = a_id;
  #else
  v_color = a_color;
  #endif
  v_color.a *= 255.0 / 254.0;
}
`;

const fragmentShader = /* glsl */ `
precision highp float;
varying vec4 v_color;
varying float v_across;
varying float v_half;
varying float v_along;
varying float v_dashed;

void main() {
  #ifdef PICKING_MODE
  gl_FragColor = v_color;
  #else
  float cover = clamp(v_half - abs(v_across) + 0.5, 0.0, 1.0);
  if (v_dashed > 0.5 && fract(v_along / 9.0) > 0.56) cover = 0.0;
  float alpha = v_color.a * cover;
  gl_FragColor = vec4(v_color.rgb * alpha, alpha);
  #endif
}
`;

/** Along the ribbon in pairs (how far, which side, 0), then the arrow's base (1) and tip (2). */
function strip(segments: number): number[][] {
  const points: number[][] = [];
  for (let i = 0; i <= segments; i += 1) {
    points.push([i / segments, -1, 0], [i / segments, 1, 0]);
  }
  points.push([1, -1, 1], [1, 1, 1], [1, 0, 2]);
  return points;
}

const uniforms = ['u_matrix', 'u_dimensions', 'u_sizeRatio', 'u_pixelRatio'] as const;

const fineStrip = strip(14);
const coarseStrip = strip(5);

export class FineLineProgram extends EdgeProgram<(typeof uniforms)[number]> {
  override drawLabel = undefined;

  protected strip(): number[][] {
    return fineStrip;
  }

  getDefinition() {
    const { FLOAT, UNSIGNED_BYTE, TRIANGLE_STRIP } = WebGLRenderingContext;
    const constant = this.strip();
    return {
      VERTICES: constant.length,
      VERTEX_SHADER_SOURCE: vertexShader,
      FRAGMENT_SHADER_SOURCE: fragmentShader,
      METHOD: TRIANGLE_STRIP,
      UNIFORMS: uniforms,
      ATTRIBUTES: [
        { name: 'a_source', size: 2, type: FLOAT },
        { name: 'a_target', size: 2, type: FLOAT },
        { name: 'a_radii', size: 2, type: FLOAT },
        { name: 'a_thickness', size: 1, type: FLOAT },
        { name: 'a_curvature', size: 1, type: FLOAT },
        { name: 'a_flags', size: 1, type: FLOAT },
        { name: 'a_color', size: 4, type: UNSIGNED_BYTE, normalized: true },
        { name: 'a_id', size: 4, type: UNSIGNED_BYTE, normalized: true },
      ],
      CONSTANT_ATTRIBUTES: [{ name: 'a_strip', size: 3, type: FLOAT }],
      CONSTANT_DATA: constant,
    };
  }

  processVisibleItem(
    edgeIndex: number,
    start: number,
    source: NodeDisplayData,
    target: NodeDisplayData,
    data: EdgeDisplayData & LineLook,
  ): void {
    const { array } = this;
    let at = start;
    array[at++] = source.x;
    array[at++] = source.y;
    array[at++] = target.x;
    array[at++] = target.y;
    array[at++] = source.size;
    array[at++] = target.size;
    array[at++] = data.size;
    array[at++] = data.curvature;
    array[at++] = (data.hasArrow ? 1 : 0) + (data.isDashed ? 2 : 0);
    array[at++] = floatColor(data.color);
    array[at++] = edgeIndex;
  }

  setUniforms(params: RenderParams, { gl, uniformLocations }: ProgramInfo): void {
    const at = uniformLocations;
    const { width, height, pixelRatio } = params;
    gl.uniformMatrix3fv(at['u_matrix'] ?? null, false, params.matrix);
    gl.uniform2f(at['u_dimensions'] ?? null, width * pixelRatio, height * pixelRatio);
    gl.uniform1f(at['u_sizeRatio'] ?? null, params.sizeRatio);
    gl.uniform1f(at['u_pixelRatio'] ?? null, pixelRatio);
  }
}

/** Fewer corners to a curve, for maps with so many lines that none is looked at closely. */
export class CoarseLineProgram extends FineLineProgram {
  protected override strip(): number[][] {
    return coarseStrip;
  }
}
