"""Pure: why an image cannot be pulled, in the registry's words without the runtime's around them.

Source of the wrappers: kubelet 1.37 and containerd 2.4, messages of real failures, 2026-11.
"""

import re

_WRAPPERS = re.compile(
    r"(?:Back-off pulling image \"[^\"]*\"(?:: )?"
    r"|ErrImagePull: "
    r"|rpc error: code = \w+ desc = "
    r"|failed to pull (?:and unpack )?image \"[^\"]*\": "
    r"|failed to resolve (?:reference \"[^\"]*\"|image): "
    r"|failed to authorize: "
    r"|failed to do request: )"
)
_IMAGE = re.compile(r"image \"(?P<image>[^\"]+)\"")
_REMEDIES = (
    (
        re.compile(r"not found|manifest unknown|name unknown|not present", re.IGNORECASE),
        "correct spec.engine.image or spec.engine.version, or put the image there",
    ),
    (
        re.compile(r"\b40[13]\b|denied|unauthori[sz]ed|authorization|forbidden", re.IGNORECASE),
        "let the pods' ServiceAccount have an imagePullSecret for this registry",
    ),
    (
        re.compile(r"x509|certificate", re.IGNORECASE),
        "let the nodes trust the registry's certificate",
    ),
    (
        re.compile(r"couldn't parse image|invalid reference", re.IGNORECASE),
        "correct spec.engine.image",
    ),
)
_OTHERWISE = "it is tried again"
_MOST_CHARACTERS = 500


def pull_problem(container: str, reason: str, message: str) -> str:
    """The sentence about a container whose image cannot be pulled."""
    found = _IMAGE.search(message)
    image = f"image {found['image']}" if found else "the image"
    words = _WRAPPERS.sub("", message).strip()[:_MOST_CHARACTERS] or reason
    remedy = next((text for known, text in _REMEDIES if known.search(words)), _OTHERWISE)
    return f"{image} of container {container} cannot be pulled: {words}; {remedy}"


def says_nothing_new(published: str, now: str) -> bool:
    """Whether two sentences differ in numbers only (ports, times), or the second has no words."""
    without_words = now.endswith(f"cannot be pulled: ImagePullBackOff; {_OTHERWISE}")
    return without_words or re.sub(r"\d+", "", published) == re.sub(r"\d+", "", now)
