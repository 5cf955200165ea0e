"""RetinaFace (Deng et al., CVPR 2020): backbone, feature pyramid, context modules and heads.

Modules and their attributes carry the names of the published state dictionaries, so that those
load as they are. Imports torch: import this only where the network is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

ANCHORS_PER_PLACE = 2


@dataclass(frozen=True)
class Variant:
    """What distinguishes the backbones: channels of their three levels, and of the pyramid."""

    backbone: str
    level_channels: tuple[int, int, int]
    pyramid_channels: int

    @property
    def slope(self) -> float:
        """Of the leaky rectifiers in pyramid and context modules; narrow networks leak."""
        return 0.1 if self.pyramid_channels <= 64 else 0.0


VARIANTS = {
    "mobile0.25": Variant("mobilenet", (64, 128, 256), 64),
    "resnet50": Variant("resnet50", (512, 1024, 2048), 256),
}


def _conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, slope: float | None = 0.0
) -> nn.Sequential:
    """Convolution, batch norm and, unless `slope` is None, a leaky rectifier."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if slope is not None:
        layers.append(nn.LeakyReLU(slope, inplace=True))
    return nn.Sequential(*layers)


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise, then pointwise convolution, each with batch norm and a leaky rectifier."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )


class MobileNetBody(nn.Module):
    """MobileNet V1 at a quarter of its width; features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _conv(3, 8, stride=2, slope=0.1),
            _separable(8, 16),
            _separable(16, 32, 2),
            _separable(32, 32),
            _separable(32, 64, 2),
            _separable(64, 64),
        )
        self.stage2 = nn.Sequential(
            _separable(64, 128, 2), *(_separable(128, 128) for _ in range(5))
        )
        self.stage3 = nn.Sequential(_separable(128, 256, 2), _separable(256, 256))

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        first = self.stage1(pictures)
        second = self.stage2(first)
        return [first, second, self.stage3(second)]


class ResNetBody(nn.ModuleDict):
    """ResNet-50 of torchvision without its classifier; features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        from torchvision.models import resnet50

        layers = OrderedDict(resnet50(weights=None).named_children())
        del layers["avgpool"], layers["fc"]
        super().__init__(layers)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        features = []
        for name, layer in self.items():
            pictures = layer(pictures)
            if name in ("layer2", "layer3", "layer4"):
                features.append(pictures)
        return features


class FeaturePyramid(nn.Module):
    """Brings three levels to one number of channels and hands the coarse ones down."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels, slope = variant.pyramid_channels, variant.slope
        for level, inputs in enumerate(variant.level_channels, start=1):
            setattr(self, f"output{level}", _conv(inputs, channels, kernel=1, slope=slope))
        self.merge1 = _conv(channels, channels, slope=slope)
        self.merge2 = _conv(channels, channels, slope=slope)

    def forward(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        fine, middle, coarse = (
            self.get_submodule(f"output{number}")(level)
            for number, level in enumerate(features, start=1)
        )
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[2:]))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[2:]))
        return [fine, middle, coarse]


class ContextModule(nn.Module):
    """SSH (Najibi et al., ICCV 2017): three receptive fields side by side."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels, slope = variant.pyramid_channels, variant.slope
        self.conv3X3 = _conv(channels, channels // 2, slope=None)
        self.conv5X5_1 = _conv(channels, channels // 4, slope=slope)
        self.conv5X5_2 = _conv(channels // 4, channels // 4, slope=None)
        self.conv7X7_2 = _conv(channels // 4, channels // 4, slope=slope)
        self.conv7x7_3 = _conv(channels // 4, channels // 4, slope=None)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shared = self.conv5X5_1(features)
        wide = self.conv7x7_3(self.conv7X7_2(shared))
        return functional.relu(
            torch.cat([self.conv3X3(features), self.conv5X5_2(shared), wide], dim=1)
        )


class Head(nn.Module):
    """`values` numbers for every anchor, (pictures, anchors, values)."""

    def __init__(self, channels: int, values: int) -> None:
        super().__init__()
        self._values = values
        self.conv1x1 = nn.Conv2d(channels, ANCHORS_PER_PLACE * values, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        by_place = self.conv1x1(features).permute(0, 2, 3, 1)
        return by_place.reshape(len(features), -1, self._values)


class RetinaFaceNetwork(nn.Module):
    """From pictures (n, 3, H, W), BGR less their mean, to boxes and scores of all anchors."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        channels = variant.pyramid_channels
        self.body = MobileNetBody() if variant.backbone == "mobilenet" else ResNetBody()
        self.fpn = FeaturePyramid(variant)
        self.ssh1, self.ssh2, self.ssh3 = (ContextModule(variant) for _ in range(3))
        self.ClassHead = nn.ModuleList(Head(channels, 2) for _ in range(3))
        self.BboxHead = nn.ModuleList(Head(channels, 4) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(Head(channels, 10) for _ in range(3))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Box regressions (n, anchors, 4) and face probabilities (n, anchors)."""
        pyramid = self.fpn(self.body(pictures))
        levels = [
            context(level)
            for context, level in zip((self.ssh1, self.ssh2, self.ssh3), pyramid, strict=True)
        ]

        def heads(modules: nn.ModuleList) -> torch.Tensor:
            said = [head(level) for head, level in zip(modules, levels, strict=True)]
            return torch.cat(said, dim=1)

        return heads(self.BboxHead), heads(self.ClassHead).softmax(dim=-1)[..., 1]
