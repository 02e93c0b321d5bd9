"""Errors that the caller can mend: the request, its photos and faces, files and settings. Never retried."""

from __future__ import annotations

from facefleet.errors.base import FacefleetError


class InputError(FacefleetError):
    """The caller can mend it."""

    status = 422
    title = "Invalid input"


class RequestError(InputError):
    """The request itself cannot be read."""

    code = "request_invalid"
    status = 400
    title = "Request cannot be read"


class OptionInvalid(RequestError):
    """An option is unknown or its value is out of range."""

    code = "option_invalid"
    status = 422
    title = "Option not valid"


class UploadMissing(RequestError):
    """A required part of the form is not there."""

    code = "upload_missing"
    status = 422
    title = "Upload missing"


class UploadMismatch(RequestError):
    """What was uploaded is not what was announced: another size, type or content."""

    code = "upload_mismatch"
    status = 422
    title = "Upload is another file"


class UploadTooLarge(RequestError):
    """The request body as a whole is over the limit."""

    code = "upload_too_large"
    status = 413
    title = "Request too large"


class ConsentRequired(RequestError):
    """The caller did not attest the consent of the people shown."""

    code = "consent_required"
    status = 422
    title = "Consent required"


class WebhookUrlRefused(RequestError):
    """Nothing is sent to this address: it is malformed, or not one of the public internet."""

    code = "webhook_url_refused"
    status = 422
    title = "Webhook address refused"


class PhotoUrlRefused(RequestError):
    """No photo is fetched from this URL: it is malformed, not of the public internet, or nothing is fetched here."""

    code = "photo_url_refused"
    status = 422
    title = "Photo address refused"


class PhotoNotFetched(RequestError):
    """The server of this URL did not give a photo, or not in time; the detail names the field and the reason."""

    code = "photo_not_fetched"
    status = 422
    title = "Photo could not be fetched"


class MethodNotAllowed(RequestError):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class ImageError(InputError):
    """A photo that cannot be used."""

    title = "Image cannot be used"


class ImageTypeUnsupported(ImageError):
    """Not a JPEG, PNG, WebP or AVIF by its content."""

    code = "image_type_unsupported"
    status = 415
    title = "Image type not supported"


class ImageTooLargeBytes(ImageError):
    """The file is over the limit of bytes."""

    code = "image_too_large_bytes"
    status = 413
    title = "Image file too large"


class ImageTooLargePixels(ImageError):
    """The header promises more pixels than the limit."""

    code = "image_too_large_pixels"
    title = "Image has too many pixels"


class ImageTooSmall(ImageError):
    """The short side is under the limit."""

    code = "image_too_small"
    title = "Image too small"


class ImageAnimated(ImageError):
    """More than one frame."""

    code = "image_animated"
    title = "Animated image"


class ImageDecodeFailed(ImageError):
    """The header is fine, the rest is damaged."""

    code = "image_decode_failed"
    title = "Image cannot be decoded"


class ContentRejected(ImageError):
    """What the photo shows is not allowed here: it is deleted and not used."""

    code = "content_rejected"
    title = "Content not allowed"


class FaceError(InputError):
    """A face that is missing or cannot be fused."""

    title = "Face cannot be used"


class FaceNotFound(FaceError):
    """No face in the photo."""

    code = "face_not_found"
    title = "No face found"


class FaceIndexInvalid(FaceError):
    """The photo has fewer faces than the index asked for."""

    code = "face_index_invalid"
    title = "No face with this index"


class TemplateFaceNotFound(FaceError):
    """The template has no face with this index."""

    code = "template_face_not_found"
    title = "No such face in the template"


class FaceTooSmall(FaceError):
    """The face has too few pixels."""

    code = "face_too_small"
    title = "Face too small"


class FacePoseUnsupported(FaceError):
    """The head is turned too far."""

    code = "face_pose_unsupported"
    title = "Head turned too far"


class FaceOutOfFrame(FaceError):
    """Part of the face lies outside the photo."""

    code = "face_out_of_frame"
    title = "Face cut by the edge"


class FaceOverexposed(FaceError):
    """Too much of the face is pure white; the detail names the photo and the parts."""

    code = "face_overexposed"
    title = "Face overexposed"


class FaceOccluded(FaceError):
    """Something before the face hides too much of it or ends unclearly; the detail names the photo and parts."""

    code = "face_occluded"
    title = "Face hidden by something"


class FusionQualityLow(FaceError):
    """The fused face does not look right, by the figures in the detail; `min_strength` allows a weaker blend."""

    code = "fusion_quality_low"
    title = "Result not good enough"


class FileError(InputError):
    """A file named on the command line."""

    status = 400
    title = "File problem"


class FileUnreadable(FileError):
    """The file is missing or cannot be read."""

    code = "file_unreadable"
    title = "File cannot be read"


class FileUnwritable(FileError):
    """The output cannot be written."""

    code = "file_unwritable"
    title = "File cannot be written"


class FileExists(FileError):
    """The output is there already."""

    code = "file_exists"
    status = 409
    title = "File exists"


class ConfigInvalid(InputError):
    """A setting cannot be used."""

    code = "config_invalid"
    status = 500
    title = "Setting not valid"
