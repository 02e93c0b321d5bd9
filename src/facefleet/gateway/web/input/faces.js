// The faces of a photo: found by the server, shown on the picture, picked there.

import { element } from "../parts/element.js";
import { Problem } from "../parts/problem.js";
import { sendOnce } from "../task/server.js";
import { follow, hasEnded } from "../task/task.js";
import { explain, say } from "../words/words.js";

/**
 * Ask for the faces of a photo.
 * @returns {Promise<{image: object, faces: object[]} | null>} null: cannot be told now; the largest face will be used.
 * @throws {Problem} The photo cannot be used.
 */
export async function findFaces(file, signal) {
  const form = new FormData();
  form.append("image", file);
  try {
    const begun = await sendOnce("/v1/faces", form, signal);
    const quiet = { onChange() {}, onTrouble() {}, signal };
    const task = hasEnded(begun) ? begun : await follow(begun, quiet);
    if (task.status === "failed") throw Problem.ofTask(task);
    return task.output ?? null;
  } catch (problem) {
    if (problem.name === "AbortError" || problem.code?.startsWith("image_")) throw problem;
    return null; // overloaded, or a gateway that finds no faces: fusing goes on without choosing
  }
}

/** Whether a face can play the part: `source` or `target`. */
export const usable = (face, part) => face[`usable_as_${part}`] !== false;

/** Why a face cannot be used, in words. */
export const reasonOf = (face) => explain(face.reasons?.[0]) ?? face.reasons?.[0] ?? "";

/** The face that is used unless another is picked: the largest that can be. */
export const firstUsable = (faces, part) => faces.find((face) => usable(face, part))?.index ?? null;

/** A button for each face, laid over the picture. `picked` is an index or "all". */
export function faceButtons(image, faces, part, picked, onPick) {
  return faces.map((face) => {
    const fit = usable(face, part);
    const label = fit ? say("face", { n: face.index + 1 })
      : say("faceUnusable", { n: face.index + 1, why: reasonOf(face) });
    const made = element("button", {
      type: "button", className: "face", title: label, "aria-label": label,
      "aria-pressed": String(fit && (picked === "all" || picked === face.index)), "aria-disabled": String(!fit), onclick: () => fit && onPick(face.index),
    }, element("span", { "aria-hidden": "true" }, String(face.index + 1)));
    place(made, face.box, image);
    return made;
  });
}

/** In percent of the picture, so that it holds at any size. */
function place(button, box, image) {
  const left = Math.max(0, box.x), top = Math.max(0, box.y);
  const right = Math.min(image.width, box.x + box.width), bottom = Math.min(image.height, box.y + box.height);
  Object.assign(button.style, {
    left: `${(100 * left) / image.width}%`, top: `${(100 * top) / image.height}%`,
    width: `${(100 * (right - left)) / image.width}%`, height: `${(100 * (bottom - top)) / image.height}%`,
  });
}
