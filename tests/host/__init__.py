"""The machine that tests and demo run on: the real Kit kernel, real omni.ui and real Isaac Lab, without a GPU."""
