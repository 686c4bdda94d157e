// The WebGL program of nodes: a shape (circle, square, hexagon) with a ring that is filled as far
// as the value's interval, a picture inside, and a halo when selected. The ring says by its
// length what its colour says; without a value it is dashed.
import type { NodeDisplayData, RenderParams } from 'sigma/types';
import { NodeProgram, type ProgramInfo } from 'sigma/rendering';
import { floatColor } from 'sigma/utils';
import { drawGlyphs, glyphCells } from './glyphs';

/** What the view gives each node besides sigma's own data. */
export interface NodeLook {
  ring: string;
  fill: string;
  glyphColor: string;
  halo: string;
  /** 0 circle, 1 square, 2 hexagon. */
  shape: number;
  /** 0 to 4, or -1 without a value. */
  step: number;
  glyph: number;
}

const vertexShader = /* glsl */ `
attribute vec2 a_corner;
attribute vec2 a_position;
attribute float a_size;
attribute vec3 a_look;
attribute vec4 a_ring;
attribute vec4 a_fill;
attribute vec4 a_glyphColor;
attribute vec4 a_halo;
attribute vec4 a_id;
uniform mat3 u_matrix;
uniform vec2 u_dimensions;
uniform float u_sizeRatio;
uniform float u_pixelRatio;
varying vec2 v_p;
varying float v_radius;
varying vec3 v_look;
varying vec4 v_ring;
varying vec4 v_fill;
varying vec4 v_glyphColor;
varying vec4 v_halo;
varying vec4 v_id;
const float reach = 1.5;

void main() {
  v_radius = max(a_size / u_sizeRatio, 1.6) * u_pixelRatio;
  vec2 centre = (u_matrix * vec3(a_position, 1.0)).xy;
  vec2 offset = a_corner * (v_radius * reach + 2.0);
  gl_Position = vec4(centre + offset * 2.0 / u_dimensions, 0.0, 1.0);
  v_p = offset / v_radius;
  v_look = a_look;
  v_ring = a_ring;
  v_fill = a_fill;
  v_glyphColor = a_glyphColor;
  v_halo = a_halo;
  v_id = a_id;
}
`;

const fragmentShader = /* glsl */ `
precision highp float;
varying vec2 v_p;
varying float v_radius;
varying vec3 v_look;
varying vec4 v_ring;
varying vec4 v_fill;
varying vec4 v_glyphColor;
varying vec4 v_halo;
varying vec4 v_id;
uniform sampler2D u_glyphs;
uniform float u_pixelRatio;
const float pi = 3.14159265;
const float bias = 255.0 / 254.0;

float roundedBox(vec2 p, float side, float corner) {
  vec2 q = abs(p) - side + corner;
  return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - corner;
}

float hexagon(vec2 p, float side, float corner) {
  const vec3 k = vec3(-0.866025404, 0.5, 0.577350269);
  vec2 q = abs(p.yx);
  float s = side - corner;
  q -= 2.0 * min(dot(k.xy, q), 0.0) * k.xy;
  q -= vec2(clamp(q.x, -k.z * s, k.z * s), s);
  return length(q) * sign(q.y) - corner;
}

float outline(vec2 p) {
  if (v_look.x < 0.5) return length(p) - 1.0;
  if (v_look.x < 1.5) return roundedBox(p, 0.92, 0.3);
  return hexagon(p, 0.96, 0.2);
}

float ringShare() {
  float turn = atan(v_p.x, v_p.y) / (2.0 * pi);
  turn = turn < 0.0 ? turn + 1.0 : turn;
  if (v_look.y < -0.5) return step(0.5, fract(turn * 12.0 + 0.25));
  return v_look.y > 3.5 ? 1.0 : step(turn, (v_look.y + 1.0) / 5.0);
}

void main() {
  float d = outline(v_p);
  float pixel = 1.0 / v_radius;
  #ifdef PICKING_MODE
  if (d > 4.0 * pixel) discard;
  gl_FragColor = v_id;
  gl_FragColor.a *= bias;
  #else
  float ringWidth = max(0.17, 1.6 * u_pixelRatio * pixel);
  float inside = clamp(0.5 - d * v_radius, 0.0, 1.0);
  float inFill = clamp(0.5 - (d + ringWidth) * v_radius, 0.0, 1.0);
  vec4 ring = mix(mix(v_fill, v_ring, 0.26), v_ring, ringShare());
  vec4 color = v_radius < 3.6 * u_pixelRatio ? v_ring : mix(ring, v_fill, inFill);
  if (v_radius > 7.0 * u_pixelRatio) {
    vec2 cell = v_p / 1.24 + 0.5;
    if (cell.x > 0.0 && cell.x < 1.0 && cell.y > 0.0 && cell.y < 1.0) {
      vec2 uv = vec2((cell.x + v_look.z) / ${glyphCells}.0, 1.0 - cell.y);
      float ink = texture2D(u_glyphs, uv).a * inFill;
      color = mix(color, v_glyphColor, ink * v_glyphColor.a);
    }
  }
  color = vec4(color.rgb * inside, inside);
  float haloAt = abs(d * v_radius - 3.5 * u_pixelRatio) - 1.1 * u_pixelRatio;
  float halo = clamp(0.5 - haloAt, 0.0, 1.0) * v_halo.a;
  gl_FragColor = color + vec4(v_halo.rgb * halo, halo) * (1.0 - color.a);
  #endif
}
`;

const uniforms = ['u_matrix', 'u_dimensions', 'u_sizeRatio', 'u_pixelRatio', 'u_glyphs'] as const;

export class MapNodeProgram extends NodeProgram<(typeof uniforms)[number]> {
  private glyphs: WebGLTexture | null = null;

  getDefinition() {
    const { FLOAT, UNSIGNED_BYTE, TRIANGLE_STRIP } = WebGLRenderingContext;
    const color = (name: string) => ({ name, size: 4, type: UNSIGNED_BYTE, normalized: true });
    return {
      VERTICES: 4,
      VERTEX_SHADER_SOURCE: vertexShader,
      FRAGMENT_SHADER_SOURCE: fragmentShader,
      METHOD: TRIANGLE_STRIP,
      UNIFORMS: uniforms,
      ATTRIBUTES: [
        { name: 'a_position', size: 2, type: FLOAT },
        { name: 'a_size', size: 1, type: FLOAT },
        { name: 'a_look', size: 3, type: FLOAT },
        color('a_ring'),
        color('a_fill'),
        color('a_glyphColor'),
        color('a_halo'),
        color('a_id'),
      ],
      CONSTANT_ATTRIBUTES: [{ name: 'a_corner', size: 2, type: FLOAT }],
      CONSTANT_DATA: [
        [-1, -1],
        [1, -1],
        [-1, 1],
        [1, 1],
      ],
    };
  }

  processVisibleItem(nodeIndex: number, start: number, data: NodeDisplayData & NodeLook): void {
    const { array } = this;
    let at = start;
    array[at++] = data.x;
    array[at++] = data.y;
    array[at++] = data.size;
    array[at++] = data.shape;
    array[at++] = data.step;
    array[at++] = data.glyph;
    array[at++] = floatColor(data.ring);
    array[at++] = floatColor(data.fill);
    array[at++] = floatColor(data.glyphColor);
    array[at++] = floatColor(data.halo);
    array[at++] = nodeIndex;
  }

  setUniforms(params: RenderParams, { gl, uniformLocations }: ProgramInfo): void {
    const at = uniformLocations;
    gl.uniformMatrix3fv(at['u_matrix'] ?? null, false, params.matrix);
    const { width, height, pixelRatio } = params;
    gl.uniform2f(at['u_dimensions'] ?? null, width * pixelRatio, height * pixelRatio);
    gl.uniform1f(at['u_sizeRatio'] ?? null, params.sizeRatio);
    gl.uniform1f(at['u_pixelRatio'] ?? null, pixelRatio);
    this.glyphs ??= uploadGlyphs(gl);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.glyphs);
    gl.uniform1i(at['u_glyphs'] ?? null, 1);
    gl.activeTexture(gl.TEXTURE0);
  }
}

function uploadGlyphs(gl: WebGLRenderingContext | WebGL2RenderingContext): WebGLTexture | null {
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE1);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, drawGlyphs());
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}
