/* SPDX-License-Identifier: MIT */
/* See pty.h. */
#include "labd/kernel/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

int pty_open(uint16_t rows, uint16_t cols, struct err *err)
{
	_close_ int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "/dev/ptmx");
	int unlock = 0;
	if (ioctl(fd, TIOCSPTLCK, &unlock) < 0)
		return err_sys(err, errno, "unlocking a pseudo-terminal");
	struct winsize size = {.ws_row = rows, .ws_col = cols};
	if (rows && cols && ioctl(fd, TIOCSWINSZ, &size) < 0)
		return err_sys(err, errno, "setting the window size");
	return take_fd(&fd);
}

int pty_adopt(int master, struct err *err)
{
	_close_ int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "opening a pseudo-terminal");
	if (ioctl(fd, TIOCSCTTY, 0) < 0)
		return err_sys(err, errno, "making it the controlling terminal");
	for (int i = 0; i < 3; i++) {
		if (dup2(fd, i) < 0)
			return err_sys(err, errno, "dup2");
	}
	return 0;
}
