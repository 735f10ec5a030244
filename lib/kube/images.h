/* SPDX-License-Identifier: MIT */
/*
 * images: which program of the host a container image stands for. Pure; what the programs are told
 * to do is lib/plan/pods.c.
 *
 * Only the last part of a name counts, without registry and tag: docker.io/library/nginx:1.25 is
 * nginx. An image that nobody here knows comes from a real cluster. Its program is not on this
 * machine, so a *stand-in* takes its place: it listens on the ports of the container and answers as
 * agnhost does, so that Services, policies and routes to it are used by real packets.
 */
#ifndef KUBE_IMAGES_H
#define KUBE_IMAGES_H

#include "lib/kube/objects.h"

/* "busybox" "nginx" "agnhost" "kube-dns" (also for coredns), or the last part of the name; in the
 * arena. */
const char *image_name(struct arena *a, const char *image);

/* The known image that a name without registry and tag is most likely a slip of the pen for
 * ("ngnix"); NULL if it is a known image, or like none. */
const char *image_meant(struct arena *a, const char *image);

/* Does the stand-in run in place of the container's own program? So it is for an unknown image
 * without a `command`, and for one whose command is a path that only its image has (/app/server).
 * Of the machine's files a pod sees /usr and what belongs to it (lab.yaml(5), IMAGES). */
bool image_stood_in(struct arena *a, const struct container *c);

/* The images of the file for which the stand-in runs, each once, in the order of the file; texts of
 * the objects. */
void images_stood_in(struct arena *a, const struct objects *o, strs *ret);

#endif
