#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The guest's first process: mounts, drivers, and then the agent (or, with lab.shell on the command line, a shell).
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/job TERM="${TERM:-linux}"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /dev/hugepages /tmp /run /var
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t hugetlbfs hugetlbfs /dev/hugepages
modprobe -a virtio_pci virtio_console vfio_iommu_type1 vfio-pci
cd /job || poweroff -f
read -r line </proc/cmdline
case " $line " in
    *" lab.shell "*)
        echo "A guest of vfsproto's lab: leave it with 'exit'. The shares are mounted with: mount -t virtiofs TAG /mnt"
        stty rows "$LAB_ROWS" cols "$LAB_COLUMNS" </dev/ttyS0
        setsid cttyhack sh
        poweroff -f
        ;;
esac
exec /bin/lab-agent
