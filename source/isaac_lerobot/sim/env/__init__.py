"""Looks into an environment, never steps one."""
