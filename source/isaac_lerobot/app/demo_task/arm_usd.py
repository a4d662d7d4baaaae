"""The desk arm as a USD articulation: authored here with ``pxr``, so that the demo task downloads nothing."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

from isaac_lerobot.app.demo_task.geometry import (
    FLANGE,
    FOREARM,
    HAND,
    JOINT_LIMITS,
    MAX_OPENING,
    SHOULDER_HEIGHT,
    UPPER_ARM,
)

Vec3 = tuple[float, float, float]

# Linear colours [0, 1].
_WHITE: Vec3 = (0.80, 0.81, 0.83)
_BLUE: Vec3 = (0.03, 0.16, 0.55)
_GRAPHITE: Vec3 = (0.03, 0.035, 0.045)

_PAD_LENGTH = 0.05
_PAD_THICKNESS = 0.010
_PAD_WIDTH = 0.024
_KNUCKLE = 0.024  # from a pad up to the palm


def arm_usd_path() -> str:
    """Return the path of the arm's USD file, writing it into the user's cache folder when it is not there.

    The file's name holds a hash of its content: a changed arm gets a new file, and two processes that start
    together write the same bytes to the same name.
    """
    stage = _author_arm()  # named: a layer does not outlive its stage
    text = stage.GetRootLayer().ExportToString()
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = _cache_folder() / f"pick-cube-arm-{digest}.usda"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    return str(path)


def _cache_folder() -> Path:
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "isaac-lerobot"


@dataclass(frozen=True)
class _Link:
    """A rigid body: where it is when all joints are zero [m], and its mass [kg]."""

    name: str
    position: Vec3
    mass: float


_WRIST_HEIGHT = SHOULDER_HEIGHT + UPPER_ARM + FOREARM
_TIP_HEIGHT = _WRIST_HEIGHT + HAND

_BASE = _Link("base", (0.0, 0.0, 0.0), 2.0)
_SHOULDER = _Link("shoulder", (0.0, 0.0, 0.06), 0.3)
_UPPER_ARM = _Link("upper_arm", (0.0, 0.0, SHOULDER_HEIGHT), 0.3)
_FOREARM = _Link("forearm", (0.0, 0.0, SHOULDER_HEIGHT + UPPER_ARM), 0.2)
_WRIST = _Link("wrist", (0.0, 0.0, _WRIST_HEIGHT), 0.1)
_HAND = _Link("hand", (0.0, 0.0, _WRIST_HEIGHT + FLANGE), 0.1)
_FINGER_LEFT = _Link("left_finger", (0.0, 0.0, _TIP_HEIGHT), 0.03)
_FINGER_RIGHT = _Link("right_finger", (0.0, 0.0, _TIP_HEIGHT), 0.03)


def _author_arm() -> Usd.Stage:
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, "/Arm").GetPrim()
    stage.SetDefaultPrim(root)
    UsdPhysics.ArticulationRootAPI.Apply(root)
    UsdGeom.Scope.Define(stage, "/Arm/joints")
    UsdGeom.Scope.Define(stage, "/Arm/materials")

    _author_body(stage)
    _author_gripper(stage)

    fixed = UsdPhysics.FixedJoint.Define(stage, "/Arm/joints/base_fixed")
    fixed.CreateBody1Rel().SetTargets(["/Arm/base"])
    _revolute(stage, "shoulder_pan", _BASE, _SHOULDER, "Z")
    _revolute(stage, "shoulder_lift", _SHOULDER, _UPPER_ARM, "Y")
    _revolute(stage, "elbow_flex", _UPPER_ARM, _FOREARM, "Y")
    _revolute(stage, "wrist_flex", _FOREARM, _WRIST, "Y")
    _revolute(stage, "wrist_roll", _WRIST, _HAND, "Z")
    _finger(stage, "finger_left", _FINGER_LEFT, side=1.0)
    _finger(stage, "finger_right", _FINGER_RIGHT, side=-1.0)
    return stage


def _author_body(stage: Usd.Stage) -> None:
    base = _body(stage, _BASE)
    _cylinder(base, "foot", 0.075, 0.02, (0.0, 0.0, 0.01), "Z", _GRAPHITE)
    _cylinder(base, "column", 0.055, 0.04, (0.0, 0.0, 0.04), "Z", _WHITE)

    shoulder = _body(stage, _SHOULDER)
    _cylinder(shoulder, "turret", 0.05, 0.03, (0.0, 0.0, 0.015), "Z", _BLUE)
    _box(shoulder, "cheek_left", (0.05, 0.012, 0.06), (0.0, 0.036, 0.045), _WHITE)
    _box(shoulder, "cheek_right", (0.05, 0.012, 0.06), (0.0, -0.036, 0.045), _WHITE)
    _cylinder(shoulder, "axle", 0.03, 0.096, (0.0, 0.0, SHOULDER_HEIGHT - 0.06), "Y", _BLUE)

    upper_arm = _body(stage, _UPPER_ARM)
    _capsule(upper_arm, "tube", 0.024, UPPER_ARM, (0.0, 0.0, UPPER_ARM / 2.0), _WHITE)
    _cylinder(upper_arm, "band", 0.0255, 0.03, (0.0, 0.0, UPPER_ARM / 2.0), "Z", _GRAPHITE)

    forearm = _body(stage, _FOREARM)
    _cylinder(forearm, "axle", 0.028, 0.066, (0.0, 0.0, 0.0), "Y", _BLUE)
    _capsule(forearm, "tube", 0.020, FOREARM, (0.0, 0.0, FOREARM / 2.0), _WHITE)

    wrist = _body(stage, _WRIST)
    _cylinder(wrist, "axle", 0.023, 0.056, (0.0, 0.0, 0.0), "Y", _BLUE)
    _cylinder(wrist, "neck", 0.017, 0.045, (0.0, 0.0, 0.0225), "Z", _WHITE)


def _author_gripper(stage: Usd.Stage) -> None:
    hand = _body(stage, _HAND)
    # The only part of the arm besides the fingers that collides: it is what could be pushed into the table.
    palm_size, palm_centre = (0.034, 0.10, 0.026), (0.0, 0.0, 0.022)
    _box(hand, "palm", palm_size, palm_centre, _GRAPHITE)
    _collider(hand, palm_size, palm_centre, friction=0.6)
    _cylinder(hand, "flange", 0.022, 0.012, (0.0, 0.0, 0.005), "Z", _BLUE)

    for link, side in ((_FINGER_LEFT, 1.0), (_FINGER_RIGHT, -1.0)):
        finger = _body(stage, link)
        across = side * _PAD_THICKNESS / 2.0
        pad_size = (_PAD_WIDTH, _PAD_THICKNESS, _PAD_LENGTH)
        pad_centre = (0.0, across, 0.012 - _PAD_LENGTH / 2.0)
        visible = _PAD_LENGTH + _KNUCKLE
        _box(finger, "pad", (*pad_size[:2], visible), (0.0, across, 0.012 - visible / 2.0), _GRAPHITE)
        _box(finger, "tip", (_PAD_WIDTH + 0.002, _PAD_THICKNESS + 0.002, 0.008), (0.0, across, 0.009), _BLUE)
        _collider(finger, pad_size, pad_centre, friction=1.2)


def _body(stage: Usd.Stage, link: _Link) -> Usd.Prim:
    prim = UsdGeom.Xform.Define(stage, f"/Arm/{link.name}").GetPrim()
    UsdGeom.XformCommonAPI(prim).SetTranslate(Gf.Vec3d(*link.position))
    UsdPhysics.RigidBodyAPI.Apply(prim)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(link.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(0.0))
    # A ball of 4 cm radius: close enough, and well conditioned for every solver.
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(0.4 * link.mass * 0.04**2))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(1.0))
    # The real arm's controllers hold it against gravity; said once for each physics engine.
    prim.CreateAttribute("mjc:gravcomp", Sdf.ValueTypeNames.Float).Set(1.0)
    prim.AddAppliedSchema("PhysxRigidBodyAPI")
    prim.CreateAttribute("physxRigidBody:disableGravity", Sdf.ValueTypeNames.Bool).Set(True)
    return prim


def _revolute(stage: Usd.Stage, name: str, parent: _Link, child: _Link, axis: str) -> None:
    joint = UsdPhysics.RevoluteJoint.Define(stage, f"/Arm/joints/{name}")
    _connect(joint, parent, child, axis)
    lower, upper = JOINT_LIMITS[name]
    joint.CreateLowerLimitAttr(math.degrees(lower))
    joint.CreateUpperLimitAttr(math.degrees(upper))
    UsdPhysics.DriveAPI.Apply(joint.GetPrim(), "angular").CreateTypeAttr("force")


def _finger(stage: Usd.Stage, name: str, link: _Link, side: float) -> None:
    """A finger slides outwards for positive joint positions, whichever side it is on."""
    joint = UsdPhysics.PrismaticJoint.Define(stage, f"/Arm/joints/{name}")
    _connect(joint, _HAND, link, "Y")
    if side < 0.0:
        half_turn = Gf.Quatf(0.0, 0.0, 0.0, 1.0)
        joint.GetLocalRot0Attr().Set(half_turn)
        joint.GetLocalRot1Attr().Set(half_turn)
    joint.CreateLowerLimitAttr(0.0)
    joint.CreateUpperLimitAttr(MAX_OPENING / 2.0)
    UsdPhysics.DriveAPI.Apply(joint.GetPrim(), "linear").CreateTypeAttr("force")


def _connect(joint: UsdPhysics.Joint, parent: _Link, child: _Link, axis: str) -> None:
    joint.CreateBody0Rel().SetTargets([f"/Arm/{parent.name}"])
    joint.CreateBody1Rel().SetTargets([f"/Arm/{child.name}"])
    joint.CreateAxisAttr(axis)
    joint.CreateLocalPos0Attr(Gf.Vec3f(*child.position) - Gf.Vec3f(*parent.position))
    joint.CreateLocalPos1Attr(Gf.Vec3f(0.0))
    joint.CreateLocalRot0Attr(Gf.Quatf(1.0))
    joint.CreateLocalRot1Attr(Gf.Quatf(1.0))


def _box(parent: Usd.Prim, name: str, size: Vec3, position: Vec3, colour: Vec3) -> Usd.Prim:
    cube = UsdGeom.Cube.Define(parent.GetStage(), parent.GetPath().AppendChild(name))
    cube.CreateSizeAttr(1.0)
    cube.CreateExtentAttr([(-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)])
    api = UsdGeom.XformCommonAPI(cube)
    api.SetTranslate(Gf.Vec3d(*position))
    api.SetScale(Gf.Vec3f(*size))
    return _coloured(cube, colour)


def _cylinder(
    parent: Usd.Prim, name: str, radius: float, height: float, position: Vec3, axis: str, colour: Vec3
) -> Usd.Prim:
    cylinder = UsdGeom.Cylinder.Define(parent.GetStage(), parent.GetPath().AppendChild(name))
    cylinder.CreateRadiusAttr(radius)
    cylinder.CreateHeightAttr(height)
    cylinder.CreateAxisAttr(axis)
    UsdGeom.XformCommonAPI(cylinder).SetTranslate(Gf.Vec3d(*position))
    return _coloured(cylinder, colour)


def _capsule(parent: Usd.Prim, name: str, radius: float, height: float, position: Vec3, colour: Vec3) -> Usd.Prim:
    capsule = UsdGeom.Capsule.Define(parent.GetStage(), parent.GetPath().AppendChild(name))
    capsule.CreateRadiusAttr(radius)
    capsule.CreateHeightAttr(height)
    capsule.CreateAxisAttr("Z")
    UsdGeom.XformCommonAPI(capsule).SetTranslate(Gf.Vec3d(*position))
    return _coloured(capsule, colour)


def _coloured(shape: UsdGeom.Gprim, colour: Vec3) -> Usd.Prim:
    shape.CreateDisplayColorAttr([colour])
    return shape.GetPrim()


def _collider(body: Usd.Prim, size: Vec3, position: Vec3, friction: float) -> None:
    """Author an invisible box that collides; the visible shapes do not, as renderers may hide what collides."""
    prim = _box(body, "collider", size, position, _GRAPHITE)
    UsdGeom.Imageable(prim).CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdPhysics.CollisionAPI.Apply(prim)
    stage = prim.GetStage()
    material = UsdShade.Material.Define(stage, f"/Arm/materials/friction_{round(100 * friction)}")
    physics = UsdPhysics.MaterialAPI.Apply(material.GetPrim())
    physics.CreateStaticFrictionAttr(friction)
    physics.CreateDynamicFrictionAttr(friction)
    binding = UsdShade.MaterialBindingAPI.Apply(prim)
    binding.Bind(material, UsdShade.Tokens.weakerThanDescendants, "physics")
