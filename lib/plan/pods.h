/* SPDX-License-Identifier: MIT */
/*
 * pods: what a container image stands for here, and the files kubelet gives a pod. An image is a
 * name for programs of the host: the registry and the tag of a real cluster's image are ignored,
 * so docker.io/library/nginx:1.25 is nginx. Pure.
 */
#ifndef PLAN_PODS_H
#define PLAN_PODS_H

#include "lib/base/arena.h"

/* "busybox" "nginx" "agnhost" "kube-dns" (also for coredns) or the last part of the name. */
const char *pods_image(struct arena *a, const char *image);

#endif
