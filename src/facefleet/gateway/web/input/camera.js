// A photo from the camera: live where the browser allows it, else by the device's own camera program.

import { element, icon, ICONS } from "../parts/element.js";
import { say } from "../words/words.js";

const ASPECT = { video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1440 } }, audio: false };

/** Whether a live picture can be had at all: pages without TLS, other than on this machine, get none. */
export const canFilm = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** A photo, or null when the reader closed the camera. */
export async function takePhoto() {
  const film = canFilm() ? await navigator.mediaDevices.getUserMedia(ASPECT).catch(() => null) : null;
  return film ? shoot(film) : capture();
}

function capture() {
  return new Promise((resolve) => {
    const input = element("input", { type: "file", accept: "image/*", capture: "user" });
    input.onchange = () => resolve(input.files[0] ?? null);
    input.oncancel = () => resolve(null);
    input.click();
  });
}

function shoot(film) {
  return new Promise((resolve) => {
    let taken = null;
    const video = element("video", { autoplay: true, muted: true, playsInline: true, srcObject: film });
    const take = async () => { taken = await still(video); dialog.close(); };
    const dialog = element("dialog", { className: "dialog camera", "aria-labelledby": "camera-title" },
      element("h2", { id: "camera-title" }, say("cameraTitle")), video,
      element("div", { className: "actions" },
        element("button", { type: "button", className: "plain", onclick: () => dialog.close() }, say("close")),
        element("button", { type: "button", className: "primary", autofocus: true, onclick: take },
          icon(ICONS.camera), say("shoot"))));
    dialog.addEventListener("close", () => {
      film.getTracks().forEach((track) => track.stop());
      dialog.remove();
      resolve(taken);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function still(video) {
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const data = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return new File([data], "camera.jpg", { type: "image/jpeg" });
}
